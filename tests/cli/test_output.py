"""What commands print, of any text and on any terminal, and where they may not write."""

import os
import re
import warnings

import numpy as np
import pytest
from spacy.tokens import Doc, DocBin, Span
from typer import Exit
from typer.testing import CliRunner

from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.annotation.provenance import set_origin
from spacy_seqmix.cli import app
from spacy_seqmix.cli._common import printable, show_messages
from spacy_seqmix.cli.show import describe
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.types import SoftLabels

from ..mixed import origin_of
from ..report.test_kept import make_run

CLEAR = "\x1b[2J"


@pytest.fixture
def hostile(blank_en):
    """A mixed doc whose words and labels would clear the screen."""
    words = ["Ana", f"{CLEAR}Lunt", "left\r", "Oslo", "\x9bH"]
    doc = Doc(blank_en.vocab, words=words)
    doc.set_ents([Span(doc, 0, 2, label=f"PER{CLEAR}")])
    tags = ("O", f"B-PER{CLEAR}", f"I-PER{CLEAR}")
    soft_labels.put(doc, SoftLabels(tags, np.array([[0.5, 0.5, 0.0], *[[0.5, 0.0, 0.5]] * 4], "f")))
    set_origin(doc, origin_of(0, 5, ["x"] * 5))
    return doc


def invoke(*words, **settings):
    result = CliRunner(**settings).invoke(app, [*map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_printable_keeps_line_breaks_and_letters():
    assert printable("λ é\tx\ny") == "λ é\tx\ny"
    assert printable("\x1b[2J\r\x00\x9b") == "\\x1b[2J\\r\\x00\\x9b"


def test_show_escapes_what_terminals_obey(hostile, tmp_path):
    path = tmp_path / "docs.spacy"
    DocBin(docs=[hostile], store_user_data=True).to_disk(path)
    for extra in ([], ["-o", tmp_path / "out.txt"]):
        code, output = invoke("show", path, *extra)
        assert code == 0
        text = (tmp_path / "out.txt").read_text("utf8") if extra else output
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
        assert "*Ana \\x1b[2JLunt left\\r Oslo \\x9bH*" in text
        assert "PER\\x1b[2J" in text


def test_show_colours_only_terminals(hostile, tmp_path, monkeypatch):
    assert "\x1b[1m" in "".join(describe(hostile, 1))
    path = tmp_path / "docs.spacy"
    DocBin(docs=[hostile], store_user_data=True).to_disk(path)
    assert "\x1b" not in invoke("show", path)[1]
    monkeypatch.setattr("spacy_seqmix.cli.show.shows_colour", lambda: True)
    assert "\x1b[1mAna" in CliRunner().invoke(app, ["show", str(path)], color=True).output


def test_show_on_a_terminal_that_knows_ascii_alone(hostile, tmp_path):
    path = tmp_path / "docs.spacy"
    DocBin(docs=[hostile], store_user_data=True).to_disk(path)
    code, output = invoke("show", path, charset="ascii")
    assert code == 0
    assert "? 0.50" in output  # for λ


def test_messages_escape_the_text_that_they_quote(tmp_path):
    (tmp_path / "in.txt").write_text("[per\x1bc Ana] left.\n", "utf8")
    code, output = invoke("convert", tmp_path / "in.txt", tmp_path / "o.spacy", "-f", "brackets")
    assert code == 1
    assert "[S505]" in output
    assert "\x1b" not in output


def test_messages_cut_the_text_that_they_quote(tmp_path):
    (tmp_path / "in.txt").write_text("Other\t" + "<e1>" * 50_000, "utf8")
    code, output = invoke("convert", tmp_path / "in.txt", tmp_path / "o.spacy")
    assert code == 1
    assert "[S535]" in output and "[...]" in output
    assert len(output) < 4000


def test_warnings_escape_the_text_that_they_quote(capsys):
    with show_messages():
        warnings.warn(f"[W540] Left out: {CLEAR}", stacklevel=1)
    assert "Left out: \\x1b[2J" in capsys.readouterr().out


class OutOfMemoryError(RuntimeError):
    """As torch has it for GPUs."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nMore"), "CUDA out of mem"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 8 bytes"), "DefaultCPUAll"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_messages_of_too_little_memory(capsys, error, reason):
    with pytest.raises(Exit) as caught, show_messages():
        raise error
    assert caught.value.exit_code == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert f"[S619] There is too little memory: {reason}" in shown
    assert "More" not in shown


def test_messages_with_a_code_that_quote_an_error_of_memory_keep_it(capsys):
    with pytest.raises(Exit), show_messages():
        raise SeqMixError("[S773] A worker can't start: RuntimeError: can't allocate memory")
    shown = capsys.readouterr().out
    assert "[S773] A worker" in shown
    assert "S619" not in shown


def test_messages_leave_other_errors_of_libraries_alone():
    with pytest.raises(RuntimeError, match="mat1 and mat2"), show_messages():
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")


@pytest.fixture
def inputs(news, tmp_path):
    """The arguments of each command that writes, its output last."""
    DocBin(docs=news).to_disk(tmp_path / "in.spacy")
    (tmp_path / "in.txt").write_text("Ana B-PER\nleft O\n", "utf8")
    run = make_run(tmp_path / "run", 0, 0.5)
    return {
        "convert": ["convert", tmp_path / "in.txt"],
        "show": ["show", tmp_path / "in.spacy", "-o"],
        "report": ["report", run, "-o"],
    }


def kinds_of_wrong_output(tmp_path):
    file = tmp_path / "file"
    file.touch()
    return [file / "out", tmp_path / ("n" * 300) / "out", "/proc/none/out"]


@pytest.mark.parametrize("command", ["convert", "show", "report"])
def test_output_that_cannot_be_written_is_named(command, inputs, tmp_path):
    for out in kinds_of_wrong_output(tmp_path):
        code, output = invoke(*inputs[command], out)
        assert code == 1
        flat = "".join(output.split())
        assert "[S600]" in output
        assert str(out).removesuffix("/out") in flat
        assert "Errno" not in output


def test_output_on_a_full_disk_is_named(inputs, tmp_path, monkeypatch):
    if not os.path.exists("/dev/full"):
        pytest.skip("the system has no /dev/full")

    def write(self, path):
        with open("/dev/full", "w") as file:
            file.write("x" * 100_000)

    monkeypatch.setattr(DocBin, "to_disk", write)
    code, output = invoke(*inputs["convert"], tmp_path / "out.spacy")
    assert code == 1
    assert "[S600]" in output
    assert "out.spacy" in "".join(output.split())
    assert "No space left" in " ".join(output.split())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.spacy", "in.txt", "run"]


def test_outputs_that_are_inputs_are_refused(inputs, news, tmp_path):
    from spacy_seqmix.report.kept import keep_runs

    config = tmp_path / "a.cfg"
    corpus = tmp_path / "corpus.spacy"
    DocBin(docs=news).to_disk(corpus)
    config.write_text(
        f'[augment]\n[augment.realiser]\n@misc = "x"\ncorpus = ["{corpus}"]\n', "utf8"
    )
    names = tmp_path / "names.txt"
    names.write_text("a\n", "utf8")
    keep_runs({"none/seed-0": tmp_path / "run"}, tmp_path / "runs.jsonl")
    (tmp_path / "link").symlink_to(tmp_path / "run")
    given = [
        [*inputs["convert"], tmp_path / "in.txt"],
        ["convert", tmp_path, names, "-f", "ace05", "--docs", names],
        [*inputs["show"], tmp_path / "in.spacy"],
        ["augment", config, tmp_path / "in.spacy", config],
        ["augment", config, tmp_path / "in.spacy", corpus],
        [*inputs["report"], tmp_path / "run"],
        [*inputs["report"], tmp_path / "link"],
        ["report", tmp_path / "runs.jsonl", "-o", tmp_path / "runs.jsonl"],
        ["calibrate", tmp_path / "in.png", "-o", tmp_path / "in.png"],
    ]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in files}
    for words in given:
        code, output = invoke(*words)
        assert (code, "[S549]" in output) == (1, True), (words, output)
    assert {path: path.read_bytes() for path in files} == before
