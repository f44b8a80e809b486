"""`spacy seqmix find-model`: one line on stdout, the rest on stderr."""

from pathlib import Path

from typer.testing import CliRunner

from spacy_seqmix.cli import app

RUNNER = CliRunner()


def test_find_model_prints_a_name_alone(tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["find-model", f"{tmp_path / 'no'} | {tmp_path}"])
    assert done.exit_code == 0
    assert done.stdout == f"{tmp_path}\n"
    assert "W220" in done.stderr
    assert RUNNER.invoke(app, ["find-model", "any-name"]).output == "any-name\n"


def test_find_model_inside_a_package() -> None:
    done = RUNNER.invoke(app, ["find-model", "package:spacy/default_config.cfg"])
    assert done.exit_code == 0
    assert Path(done.stdout.strip()).is_file()


def test_find_model_that_is_nowhere(tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["find-model", f"{tmp_path / 'a'} | package:no_such_package/x"])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "S224" in done.stderr
