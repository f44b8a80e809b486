"""`spacy seqmix distill`."""

from __future__ import annotations

import re

from typer.testing import CliRunner

from spacy_seqmix.cli import app


def run(*words: object) -> tuple[int, list[str]]:
    result = CliRunner().invoke(app, ["distill", *map(str, words), "--quiet"])
    lines = [re.sub("\x1b\\[[\\d;]*m", "", line).strip() for line in result.output.splitlines()]
    return result.exit_code, [line for line in lines if line and "Using CPU" not in line]


def test_distill_command_says_first_what_was_measured(teacher, student, texts, dev, tmp_path):
    out = tmp_path / "out"
    words = (teacher, student, texts, "-o", out, "--training.max_steps", 4)
    code, lines = run(*words, "--dev", dev)
    assert code == 1
    assert "Measured on 8 docs of dev.spacy" in lines[0]
    assert lines[1].split() == ["ents_f", "Texts", "per", "second"]
    assert [line.split()[0] for line in lines[3:5]] == ["Teacher", "Student"]
    assert lines[5] == (
        "Trained on 22 texts, 2 left out since they are in --dev or --labelled: 4 steps"
    )
    assert "[S749]" in " ".join(lines[6:])
    code, lines = run(*words, "--dev", dev, "--max-drop", 100)
    assert code == 0
    assert "Trained by an earlier command on 22 texts" in " ".join(lines)
    assert lines[-1].endswith(str(out / "model-last"))


def test_distill_command_takes_committees_and_maps(
    teacher, other_teacher, student, texts, tmp_path
):
    words = (teacher, student, texts, "-o", tmp_path / "out", "--teacher", other_teacher)
    more = ("--map", "MISC=", "--map", "PER=PERSON", "--temperature", 2)
    code, lines = run(*words, *more, "--training.max_steps", 4)
    assert code == 0, lines
    assert "Nothing was measured but speed" in lines[0]
    assert lines[3].startswith("Committee of 2")


def test_distill_command_refuses_in_words(teacher, student, texts, tmp_path):
    words = (teacher, student, texts, "-o", tmp_path / "out")
    for more, code in (
        (("--temperature", 0), "S746"),
        (("--map", "PER"), "S745"),
        (("--component", "ner"), "S740"),
        (("--teacher-component", "ner"), "S401"),
    ):
        exit_code, lines = run(*words, *more)
        assert exit_code == 1
        assert f"[{code}]" in " ".join(lines)
    assert not (tmp_path / "out").exists()
