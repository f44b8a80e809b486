"""`spacy seqmix distill`."""

from __future__ import annotations

import re

from typer.testing import CliRunner

from spacy_seqmix.cli import app


def run(*words: object) -> tuple[int, str]:
    """The exit code, and the output as words with one blank between."""
    result = CliRunner().invoke(app, ["distill", *map(str, words), "--quiet"])
    text = " ".join(re.sub("\x1b\\[[\\d;]*m", "", result.output).split())
    return result.exit_code, re.sub("^. Using CPU ", "", text)


def test_distill_command_says_first_what_was_measured(teacher, student, texts, dev, tmp_path):
    out = tmp_path / "out"
    words = (teacher, student, texts, "-o", out, "--training.max_steps", 4)
    code, text = run(*words, "--dev", dev)
    assert code == 1
    assert re.match(
        r". Measured on 8 docs of dev\.spacy; nothing is known of other texts "
        r"ents_f Texts per second [- ]+ Teacher [\d.]+ [\d,]+ Student [\d.]+ [\d,]+ "
        r"Trained on 22 texts: 4 steps "
        r"Left out, since they are in --dev or --labelled: 2 texts "
        r"✘ \[S749\] The student is worse",
        text,
    )
    code, text = run(*words, "--dev", dev, "--max-drop", 100)
    assert code == 0
    assert "Trained by an earlier command on 22 texts" in text
    assert text.endswith(f"✔ Student: {out / 'model-last'}")


def test_distill_command_takes_committees_and_maps(
    teacher, other_teacher, student, texts, tmp_path
):
    words = (teacher, student, texts, "-o", tmp_path / "out", "--teacher", other_teacher)
    more = ("--map", "MISC=", "--map", "PER=PERSON", "--temperature", 2)
    code, text = run(*words, *more, "--training.max_steps", 4)
    assert code == 0, text
    assert re.match(". Nothing was measured but speed", text)
    assert "Committee of 2 - " in text


def test_distill_command_refuses_in_words(teacher, student, texts, tmp_path):
    words = (teacher, student, texts, "-o", tmp_path / "out")
    for more, code in (
        (("--temperature", 0), "S746"),
        (("--map", "PER"), "S745"),
        (("--component", "ner"), "S740"),
        (("--teacher-component", "ner"), "S401"),
    ):
        exit_code, text = run(*words, *more)
        assert exit_code == 1
        assert f"[{code}]" in text
    assert not (tmp_path / "out").exists()
