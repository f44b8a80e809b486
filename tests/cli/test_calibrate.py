"""`spacy seqmix calibrate`, with a tiny random language model."""

import sys
from pathlib import Path

import pytest
from spacy.tokens import Doc, DocBin
from spacy.util import registry
from thinc.api import Config
from typer.testing import CliRunner

from spacy_seqmix.cli import app


@pytest.fixture
def in_path(news: list[Doc], tmp_path: Path) -> Path:
    path = tmp_path / "in.spacy"
    DocBin(docs=news, store_user_data=True).to_disk(path)
    return path


def run(*args: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["calibrate", *map(str, args)])
    return result.exit_code, result.output


def test_calibrate_proposes_what_can_be_pasted(
    in_path: Path, news: list[Doc], tiny_lm_dir: Path, tmp_path: Path
) -> None:
    args = [in_path, "--model", tiny_lm_dir, "-q", "0.2,0.8", "--density", "0.2", "--window", "3"]
    code, output = run(*args)
    assert code == 0, output
    assert not list(tmp_path.glob("*.png"))
    assert "not mixed (30)" in output
    section = output[output.index("[augment.discriminator]") :]
    built = registry.resolve(Config().from_str("[augment]\n\n" + section))["augment"]
    discriminator = built["discriminator"]
    # What is proposed, the filter does: the quantiles leave out six of thirty docs at either end.
    assert sum(verdict.keep for verdict in discriminator(news)) == 18
    assert discriminator.window_nats.high > 0


def test_calibrate_draws(in_path: Path, tiny_lm_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, output = run(in_path, "-m", tiny_lm_dir, "-o", out, "-n", "20", "-q", "0.25,0.75")
    assert code == 0, output
    assert "not mixed (20)" in output
    assert [path.name for path in out.iterdir()] == ["perplexity.png"]
    assert "Wrote" in output


def test_calibrate_tells_which_model_it_took(in_path: Path, tiny_lm_dir: Path) -> None:
    code, output = run(in_path, "-m", f"/no/such/folder | {tiny_lm_dir}", "-q", "0.2,0.8")
    assert code == 0, output
    assert "⚠ [W220]" in output


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("-m", "/no/such/model"), "S301"),
        (("-m", "/no/such | package:nothing/x"), "S224"),
        (("-q", "0.95,0.05"), "S516"),
        (("-q", "0.5"), "S516"),
        (("-q", "low,high"), "S516"),
        (("--window", "0"), "S210"),
        (("--sentences",), "S518"),
    ],
)
def test_calibrate_refuses_with_a_code(
    in_path: Path, tiny_lm_dir: Path, tmp_path: Path, args: tuple[str, ...], expected: str
) -> None:
    code, output = run(in_path, "-m", tiny_lm_dir, *args, "-o", tmp_path / "out")
    assert code == 1
    assert f"[{expected}]" in output
    assert not (tmp_path / "out").exists()


def test_calibrate_refuses_files(tiny_lm_dir: Path, tmp_path: Path) -> None:
    empty, damaged = tmp_path / "empty.spacy", tmp_path / "damaged.spacy"
    DocBin().to_disk(empty)
    damaged.write_bytes(b"nothing of use")
    for path in (empty, damaged, tmp_path / "none.spacy"):
        code, output = run(path, "-m", tiny_lm_dir)
        assert code == 1
        assert "[S403]" in output


def test_calibrate_says_early_that_matplotlib_is_missing(
    in_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, output = run(in_path, "-m", "/no/such/model", "-o", tmp_path / "out")
    assert code == 1
    assert "[S515]" in output
