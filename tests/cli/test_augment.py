"""`spacy seqmix augment` and `show`, with tiny models."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import srsly
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from typer.testing import CliRunner

from spacy_seqmix import files
from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.annotation.provenance import get_origin
from spacy_seqmix.cli import app

CONFIG = Path(__file__).parents[2] / "configs" / "augment.cfg"


@pytest.fixture
def in_path(news: list[Doc], tmp_path: Path) -> Path:
    path = tmp_path / "in.spacy"
    DocBin(docs=news, store_user_data=True).to_disk(path)
    return path


@pytest.fixture
def run(
    tiny_encoder_dir: Path, tiny_lm_dir: Path, in_path: Path, tmp_path: Path
) -> Callable[..., tuple[int, str, Path]]:
    def call(*args: str) -> tuple[int, str, Path]:
        out = tmp_path / "out.spacy"
        settings = {
            "--paths.encoder": tiny_encoder_dir,
            "--paths.lm": tiny_lm_dir,
            "--augment.discriminator.max_perplexity": "null",
            "--augment.discriminator.max_window_nats": "null",
            "--augment.strategy.density": 0.2,
            "--augment.strategy.window": 3,
            "--augment.rate": 0.5,
        }
        flat = [str(part) for pair in settings.items() for part in pair]
        result = CliRunner().invoke(
            app, ["augment", str(CONFIG), str(in_path), str(out), *flat, *args]
        )
        return result.exit_code, result.output, out

    return call


def read(path: Path, nlp: Language) -> list[Doc]:
    return list(DocBin().from_disk(path).get_docs(nlp.vocab))


def test_augment_writes_mixed_docs(
    run: Callable[..., tuple[int, str, Path]], news: list[Doc], blank_en: Language
) -> None:
    code, output, out = run()
    assert code == 0, output
    mixed = read(out, blank_en)
    assert len(mixed) == round(0.5 * len(news))
    assert f"Wrote {len(mixed)} docs" in output
    summary = r"\d+ of 30 docs eligible, \d+ candidates, \d+ rejected, \d+ kept"
    assert len(re.findall(summary, output)) == 1
    for doc in mixed:
        origin = get_origin(doc)
        assert origin is not None
        assert origin.perplexity is not None
        assert soft_labels.get(doc) is not None


def test_augment_with_originals_writes_them_first(
    run: Callable[..., tuple[int, str, Path]], news: list[Doc], blank_en: Language
) -> None:
    code, output, out = run("--with-originals")
    assert code == 0, output
    docs = read(out, blank_en)
    assert [doc.text for doc in docs[: len(news)]] == [doc.text for doc in news]
    assert len(docs) == len(news) + round(0.5 * len(news))


def test_augment_is_deterministic_under_its_seed(
    run: Callable[..., tuple[int, str, Path]], blank_en: Language
) -> None:
    texts = []
    for seed in ("1", "1", "2"):
        code, output, out = run("--augment.seed", seed)
        assert code == 0, output
        texts.append([doc.text for doc in read(out, blank_en)])
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("--augment.rates", "1"), "S213"),
        (("--augment.strategy", "null"), "S213"),
        (("--augment.realiser", "spacy-seqmix.NearestToken.v1"), "S213"),
        (("--augment.rate", "-1"), "S213"),
        (("--augment.rate", "0"), "S213"),
        (("--augment.rate", "1e308"), "S213"),
        (("--augment.strategy.alpha", "1e308"), "S210"),
        (("--augment.strategy.@misc", "5"), "S213"),
        (("--augment.realiser.table", "bert"), "S213"),
        (("--paths.lm", "${paths.nothing}"), "S410"),
        (("--augment.rate", "0.001"), "S214"),
        (("--augment.strategy.window", "0"), "S210"),
        (("--paths.encoder", "no/such/model"), "S220"),
    ],
)
def test_augment_refuses_with_a_code(
    run: Callable[..., tuple[int, str, Path]], args: tuple[str, str], expected: str
) -> None:
    code, output, out = run(*args)
    assert code == 1
    assert f"[{expected}" in output
    assert not out.exists()


def test_augment_shows_each_phase(
    run: Callable[..., tuple[int, str, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    phases = []

    class Bar(files.ProgressBar):
        def __init__(self, *, desc: str, disable: bool | None, **settings: Any) -> None:
            if disable is None:  # a bar where there is a terminal
                phases.append(desc)
            super().__init__(desc=desc, disable=disable, **settings)

    monkeypatch.setattr(files, "ProgressBar", Bar)
    code, output, _ = run()
    assert code == 0, output
    assert phases == ["Reading augment.cfg", "Reading in.spacy", "Mixing"]


def test_augment_of_an_unknown_function_lists_ours(
    run: Callable[..., tuple[int, str, Path]],
) -> None:
    code, output, _ = run("--augment.strategy.@misc", "spacy-seqmix.WholeSequenc.v1")
    text = " ".join(output.split())
    assert code == 1
    assert "[S213]" in text
    assert "strategy.@misc = 'spacy-seqmix.WholeSequenc.v1'" in text
    assert "did you mean spacy-seqmix.WholeSequence.v1" in text
    assert "spacy-seqmix.NTE.v1" in text
    assert "spacy.LookupsDataLoader.v1" not in text


def test_augment_that_keeps_nothing_says_why_and_writes_nothing(
    run: Callable[..., tuple[int, str, Path]],
) -> None:
    code, output, out = run("--augment.discriminator.max_perplexity", "0.01", "--with-originals")
    assert code == 1
    assert "⚠ [W210] 0 mixed docs instead of" in output
    assert "the discriminator rejected" in " ".join(output.split())
    assert "[S214]" in output
    assert not out.exists()


def test_augment_tells_which_model_it_took(
    run: Callable[..., tuple[int, str, Path]], tiny_encoder_dir: Path
) -> None:
    code, output, _ = run("--paths.encoder", f" || /no/such/folder | {tiny_encoder_dir}")
    assert code == 0, output
    assert "[W220]" in output
    code, output, _ = run("--paths.encoder", f"package:nothing || {tiny_encoder_dir}")
    assert code == 1
    assert "[S224]" in output


@pytest.mark.parametrize("command", ["augment", "show"])
def test_commands_refuse_their_input_as_output(in_path: Path, command: str) -> None:
    before = in_path.read_bytes()
    words = [str(CONFIG), str(in_path), str(in_path)]
    given = words if command == "augment" else [words[1], "-o", words[2]]
    result = CliRunner().invoke(app, [command, *given])
    assert result.exit_code == 1
    assert "[S549]" in result.output
    assert in_path.read_bytes() == before


def test_augment_refuses_a_damaged_file(
    run: Callable[..., tuple[int, str, Path]], in_path: Path
) -> None:
    in_path.write_bytes(b"nothing of use")
    code, output, out = run()
    assert code == 1
    assert "[S403]" in output
    assert not out.exists()


def test_show_tells_text_labels_and_figures(
    run: Callable[..., tuple[int, str, Path]], blank_en: Language
) -> None:
    _, _, out = run("--with-originals")
    result = CliRunner().invoke(app, ["show", str(out), "--limit", "1"])
    assert result.exit_code == 0, result.output
    doc = next(doc for doc in read(out, blank_en) if get_origin(doc) is not None)
    for part in ("λ", "perplexity", "entities:", doc[0].text):
        assert part in result.output
    assert "docs are mixed" in result.output
    file = out.with_name("shown") / "example.txt"
    result = CliRunner().invoke(app, ["show", str(out), "--limit", "1", "-o", str(file)])
    assert result.exit_code == 0, result.output
    text = file.read_text("utf8")
    part = get_origin(doc).parts[0]
    assert f"*{doc[part.start : part.end].text}*" in text
    assert "\x1b" not in text
    assert "entities:" in text
    result = CliRunner().invoke(app, ["show", str(out), "-o", str(file.parent)])
    assert result.exit_code == 1, "a folder is in the way"


def test_show_refuses_what_is_no_docbin(tmp_path: Path) -> None:
    path = tmp_path / "x.spacy"
    srsly.write_json(path, {})
    result = CliRunner().invoke(app, ["show", str(path)])
    assert result.exit_code == 1
    assert "[S403]" in result.output
