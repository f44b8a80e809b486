"""Files that a person, a disk or another program damaged: a coded message, or a right result.

Each kind of input is mutated from a seed, so that every failure can be repeated. The usual number
is a sample; SEQMIX_FUZZ=3000 tries that many.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import signal
import traceback
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin
from typer.testing import CliRunner

from spacy_seqmix.active.loop import ActiveRun
from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.annotation.docbins import read_docs
from spacy_seqmix.cli import app
from spacy_seqmix.config import load_config
from spacy_seqmix.mixing.mix import mix_docs
from spacy_seqmix.mixing.mixer import Mixer
from spacy_seqmix.mixing.realise import NearestToken
from spacy_seqmix.mixing.strategies import make_sub_sequence
from spacy_seqmix.sweep import read_sweep

from .active.conftest import files as files
from .active.conftest import write_files as write_files
from .convert.test_formats import SAMPLES
from .report.test_kept import make_run
from .sweep.conftest import config_path as config_path

SLOWEST = 10  # seconds of the processor
CODE = re.compile(r"\[[SET]\d+\]")
# What no reader expects: numbers, nesting, characters, marks of the formats.
ODD = (
    *(b"NaN", b"-1", b"1e999", b"inf", b"9" * 5000, b"2147483648", b"null", b"true", b'""', b"{}"),
    *(b"[" * 100_000, b'{"a":' * 100_000, b"<a>" * 50_000, b"<e1>" * 5000, b"[A " * 5000),
    *(b"\\ud800", b"\x00", b"\xff\xfe", b"\x1b[2J", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\r", b"\t"),
    *(b"\n\n", b" ", b"${paths.none}", b"%", b"]", b"@misc = 5\n", b"&x;", b"B-", b"#", b'"', b"="),
)


class Hang(BaseException):
    """A command took too long. Nothing in the package catches it."""


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Change a file in one to three places."""
    for _ in range(rng.integers(1, 4)):
        data = change(data, rng)
    return data


def change(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut, repeat, insert or overwrite something."""
    at, end = sorted(rng.integers(0, len(data) + 1, 2).tolist())
    near = min(end, at + int(rng.integers(1, 9)))
    odd = ODD[rng.integers(len(ODD))]
    lines = data.split(b"\n")
    line = int(rng.integers(len(lines)))
    key = lines[line].partition(b"=")[0]
    ways: Sequence[Callable[[], bytes]] = (
        lambda: data[:at],
        lambda: data[:at] + data[near:],
        lambda: data[:at] + data[at:end] + data[at:],
        lambda: data[:at] + odd + data[at:],
        lambda: data[:at] + odd + data[near:],
        lambda: data[:at] + bytes([rng.integers(256)]) + data[at + 1 :],
        lambda: re.sub(rb"\d+(\.\d+)?", lambda m: odd, data, count=1 + line),
        lambda: b"\n".join([*lines[:line], *lines[line + 1 :]]),
        lambda: b"\n".join([*lines[: line + 1], *lines[line:]]),
        lambda: b"\n".join([*lines[:line], key + b"= " + odd, *lines[line + 1 :]]),
    )
    return ways[rng.integers(len(ways))]()


def mutate_docs(data: bytes, rng: np.random.Generator) -> bytes:
    """Change a DocBin, mostly below its compression."""
    if rng.random() < 0.2:
        return mutate(data, rng)
    return zlib.compress(mutate(zlib.decompress(data), rng))


@contextmanager
def no_hang() -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SLOWEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def run(*words: object) -> None:
    """Run a command. It succeeds, or gives a coded message and the exit code 1."""
    result = CliRunner().invoke(app, [*map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0 or (result.exit_code == 1 and CODE.search(result.output)), (
        result.output
    )


def check(call: Callable[[], object]) -> None:
    """Call what a command calls. An error is one that the command shows as a message."""
    try:
        call()
    except (ValueError, OSError) as err:
        assert CODE.match(str(err)), repr(err)


def soft_rows(path: Path) -> None:
    """Soft labels that are read are distributions."""
    for doc in read_docs(path, spacy.blank("en"), need_entities=False):
        soft = soft_labels.get(doc)
        if soft is not None:
            sums = soft.probs.sum(axis=1)
            assert len(soft.probs) == len(doc) and (soft.probs >= 0).all()
            assert (np.isclose(sums, 1, atol=0.01) | (sums == 0)).all(), sums


@pytest.fixture
def kinds(
    tmp_path: Path,
    news: list[Doc],
    tiny_encoder_dir: Path,
    realiser: NearestToken,
    files: dict[str, str],
    config_path: Path,
) -> dict[str, tuple[Path, Callable[[Path], object]]]:
    """The file that is mutated, and what reads it, by name."""
    folder = tmp_path / "fuzz"
    folder.mkdir()
    out = folder / "out.spacy"
    mixer = Mixer(make_sub_sequence(window=3, density=0.5), realiser, rate=0.5)
    mixed, _ = mix_docs(news, mixer, np.random.default_rng(0), spacy.blank("en"))
    DocBin(docs=[*news[:3], *mixed[:3]], store_user_data=True).to_disk(folder / "mixed.spacy")
    DocBin(docs=news).to_disk(folder / "in.spacy")
    found: dict[str, tuple[Path, Callable[[Path], object]]] = {}
    for name, text in SAMPLES.items():
        path = folder / f"{name}.txt"
        path.write_text(text * (1 if name == "jmee" else 3), "utf8")
        found[name] = path, lambda p, f=name: run("convert", p, out, "-f", f)
        found[f"{name} (detected)"] = path, lambda p: run("convert", p, out)
        found[f"{name} (skip)"] = path, lambda p, f=name: run("convert", p, out, "-f", f, "--skip")
    exports = shutil.copytree(Path(__file__).parent / "annotate" / "exports", folder / "exports")
    for path in sorted(exports.rglob("*.*")):
        export = path if path.parent == exports else path.parent
        found[f"export {path.name}"] = path, lambda p, e=export: run("ingest", e, "-o", out)
    ace = folder / "ace"
    ace.mkdir()
    (ace / "a.sgm").write_text(
        "<DOC>\n<TEXT>\nAna left Oslo & Rome.\n\nBo came.\n</TEXT>\n</DOC>\n"
    )
    (ace / "a.apf.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<source_file><document DOCID="a">\n<event ID="e" '
        'TYPE="Movement" SUBTYPE="Transport">\n<event_mention ID="m"><anchor>\n<charseq START="7" '
        'END="10">left</charseq>\n</anchor></event_mention></event></document></source_file>\n'
    )
    for name in ("a.sgm", "a.apf.xml"):
        found[name] = ace / name, lambda p: run("convert", ace, out, "-f", "ace05")
    found["docs (soft rows)"] = folder / "mixed.spacy", lambda p: check(lambda: soft_rows(p))
    found["docs (show)"] = folder / "mixed.spacy", lambda p: run("show", p)
    augment = folder / "augment.cfg"
    text = (Path(__file__).parents[1] / "configs" / "augment.cfg").read_text("utf8")
    text = text[: text.index("[augment.discriminator]")]
    augment.write_text(text.replace("bert-base-cased", str(tiny_encoder_dir)), "utf8")
    source = folder / "in.spacy"
    found["augment"] = augment, lambda p: run("augment", p, source, out)
    found["docs (augment)"] = source, lambda p: run("augment", augment, p, out)
    active, overrides = tmp_path / "active.cfg", dict(files)
    run_dir = folder / "run"
    found["active"] = (
        active,
        lambda p: check(lambda: ActiveRun(load_config(p, overrides), run_dir, progress=False)),
    )
    found["training"] = (
        tmp_path / "training.cfg",
        lambda p: check(lambda: ActiveRun(load_config(active, overrides), run_dir, progress=False)),
    )
    found["sweep"] = config_path, lambda p: check(lambda: read_sweep(p, {}))
    arms = folder / "runs"
    for seed in (0, 1):
        make_run(arms / "none" / f"seed-{seed}", seed, 0.5)
        make_run(arms / "mix" / f"seed-{seed}", seed, 0.6)
        for name in ("none", "mix"):
            (arms / name / f"seed-{seed}.json").write_text('{"status": "done", "seconds": 1.5}')
    listed = [
        {"name": name, "folder": name, "mixes": name == "mix", "values": {"active.mixing.rate": 1}}
        for name in ("none", "mix")
    ]
    (arms / "sweep.json").write_text(json.dumps({"seeds": [0, 1], "arms": listed}))
    for name in ("sweep.json", "mix/seed-0.json", *(f"mix/seed-0/{f}" for f in RUN_FILES)):
        found[name] = arms / name, lambda p: run("report", arms, "-o", folder / "report")
    return found


RUN_FILES = ("journal.jsonl", "inputs.json", "config.cfg")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("encoders_once")
def test_fuzz_damaged_files_give_messages(
    kinds: dict[str, tuple[Path, Callable[[Path], object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spacy, "blank", functools.cache(spacy.blank))
    tried, total = 0, int(os.getenv("SEQMIX_FUZZ", "100"))
    failures: list[str] = []
    only = os.getenv("SEQMIX_FUZZ_KIND", "")
    names = [name for name in kinds if only in name]
    while tried < total:
        name = names[tried % len(names)]
        path, read = kinds[name]
        whole = path.read_bytes()
        rng = np.random.default_rng(tried)
        path.write_bytes((mutate_docs if path.suffix == ".spacy" else mutate)(whole, rng))
        try:
            with no_hang():
                read(path)
        except (Exception, Hang) as err:
            frames = [f for f in traceback.extract_tb(err.__traceback__) if "seqmix" in f.filename]
            where = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in frames[:-4:-1])
            failures.append(f"{tried} {name}: {type(err).__name__} {str(err)[:300]!r} in {where}")
            print(failures[-1], flush=True)
        finally:
            path.write_bytes(whole)
            tried += 1
    assert not failures, "\n".join([f"{len(failures)} failures", *failures])
