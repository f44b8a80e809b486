"""`spacy seqmix find-model`: one line on stdout, the rest on stderr."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from spacy_seqmix.cli import app

RUNNER = CliRunner()


def test_find_model_prints_a_name_alone(tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["find-model", f"{tmp_path / 'no'} | {tmp_path}"])
    assert done.exit_code == 0
    assert done.stdout == f"{tmp_path}\n"
    assert "W220" in done.stderr


def test_find_model_looks_for_a_single_one_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for names in ("any-name", f"any-name || {tmp_path}", str(tmp_path / "no")):
        done = RUNNER.invoke(app, ["find-model", names])
        assert (done.exit_code, done.stdout) == (1, "")
        assert "S224" in done.stderr
    assert RUNNER.invoke(app, ["find-model", f" || {tmp_path}"]).stdout == f"{tmp_path}\n"


def test_find_model_inside_a_package() -> None:
    done = RUNNER.invoke(app, ["find-model", "package:spacy/default_config.cfg"])
    assert done.exit_code == 0
    assert Path(done.stdout.strip()).is_file()


def test_find_model_that_is_nowhere(tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["find-model", f"{tmp_path / 'a'} | package:no_such_package/x"])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "S224" in done.stderr
