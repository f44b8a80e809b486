"""Finished runs in one file: all that a report reads of them, and no text of their corpora.

Each line is a JSON object, ``{"file": NAME, "content": ...}``: of a sweep its ``sweep.json``, of
each finished run how it ended, its journal, its config and its inputs. Journals are kept without
the judgements of single candidates (``judged``), which are most of their size, and with the
confused types of the last round alone.
"""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..errors import Errors, SeqMixError
from ..files import parse_json, replacing
from ..sweep.record import SWEEP_FILE, read_status

__all__ = ["keep_runs", "unpacked"]

JOURNAL, CONFIG, INPUTS = "journal.jsonl", "config.cfg", "inputs.json"


def keep_runs(given: Path | Mapping[str, Path], out: Path) -> None:
    """Write finished runs to one file, which ``spacy seqmix report`` reads like their folders.

    Paths into this environment's packages become ``package:...``.

    given (Path | Mapping[str, Path]): the folder of a sweep; or run folders by ``ARM/seed-N``.
    out (Path): a .jsonl file.
    """
    files = _sweep_files(given) if isinstance(given, Path) else _run_files(given)
    packages = sysconfig.get_path("purelib") + "/"
    with replacing(out) as temporary:
        records = [{"file": name, "content": content} for name, content in files]
        compact = (",", ":")
        lines = [json.dumps(one, ensure_ascii=False, separators=compact) for one in records]
        text = "".join(line + "\n" for line in lines).replace(packages, "package:")
        temporary.write_text(text, "utf8")


def _sweep_files(sweep: Path) -> Iterator[tuple[str, Any]]:
    """What is kept of a sweep: arms without a finished run are left out."""
    states = {path: read_status(path) for path in sorted(sweep.glob("*/seed-*.json"))}
    states = {path: state for path, state in states.items() if state and state.status == "done"}
    known = _read_json(sweep / SWEEP_FILE)
    folders = {path.parent.name for path in states}
    known["arms"] = [arm for arm in known["arms"] if arm["folder"] in folders]
    yield SWEEP_FILE, known
    for path in states:
        name = f"{path.parent.name}/{path.stem}"
        yield f"{name}.json", _read_json(path)
        yield from _run_files({name: path.with_suffix("")})


def _run_files(folders: Mapping[str, Path]) -> Iterator[tuple[str, Any]]:
    for name, folder in folders.items():
        rounds = _read_lines(folder / JOURNAL)
        kept = [{k: v for k, v in one.items() if k != "judged"} for one in rounds]
        for one in kept[:-1]:  # reports show the confused types of the last round
            for scores in one["scores"].values():
                scores.pop("confusion", None)
        inputs = _read_json(folder / INPUTS)
        # Its config stands in the config's own file.
        inputs = {k: v for k, v in inputs.items() if k != "config"}
        yield f"{name}/{JOURNAL}", kept
        yield f"{name}/{INPUTS}", inputs
        yield f"{name}/{CONFIG}", (folder / CONFIG).read_text("utf8")


@contextmanager
def unpacked(path: Path) -> Iterator[list[str]]:
    """Lay kept runs out in folders for a while.

    path (Path): a file that ``keep_runs`` wrote.
    YIELDS (list[str]): what ``read_arms`` takes: SWEEP_DIR, or NAME=RUN_DIR of each run.
    RAISES (SeqMixError): S522 where the file is another one.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        try:
            lines = _read_lines(path)
            for line in lines:
                _write(folder, line["file"], line["content"])
        except (OSError, ValueError, KeyError, TypeError) as err:
            raise SeqMixError(Errors.E522.format(path=path, reason=repr(err))) from err
        if (folder / SWEEP_FILE).exists():
            yield [str(folder)]
        else:
            runs = [Path(line["file"]).parent for line in lines if JOURNAL in line["file"]]
            yield [f"{run.parent}={folder / run}" for run in runs]


def _write(folder: Path, name: str, content: Any) -> None:
    path = folder / name
    if folder.resolve() not in path.resolve().parents:
        raise ValueError(f"{name!r} is no file of a run")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(line) + "\n" for line in content), "utf8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(content), "utf8")
    else:
        path.write_text(content, "utf8")


def _read_json(path: Path) -> Any:
    return parse_json(path.read_bytes())


def _read_lines(path: Path) -> list[Any]:
    lines = path.read_text("utf8").split("\n")
    return [parse_json(line) for line in lines if line.strip()]
