"""`spacy seqmix confidence`: what it prints, what it saves, what it refuses."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.util import fix_random_seed
from thinc.api import Adam
from typer.testing import CliRunner

from spacy_seqmix.cli import app
from spacy_seqmix.query import temperature
from spacy_seqmix.query.temperature import TEMPERATURES

LABELS = ("LOC", "PER")


def docs_of(nlp: Language, rng: np.random.Generator, n: int) -> list[Doc]:
    """Names whose type is a matter of chance in three of ten."""
    docs = []
    for _ in range(n):
        kinds = rng.integers(0, 2, 2)
        names = [f"{'xy'[k]}{rng.integers(0, 50)}" for k in kinds]
        seen = np.where(rng.random(2) < 0.3, 1 - kinds, kinds)
        tags = [f"B-{LABELS[k]}" for k in seen]
        docs.append(Doc(nlp.vocab, words=[names[0], "met", names[1]], ents=[tags[0], "O", tags[1]]))
    return docs


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained on few docs for long, so that it is surer than it should be."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("seqmix_ner")
    train = docs_of(nlp, np.random.default_rng(1), 20)
    examples = [Example(Doc(nlp.vocab, words=[t.text for t in doc]), doc) for doc in train]
    nlp.initialize(lambda: examples)
    sgd = Adam(0.01)
    for _ in range(6):
        nlp.update(examples, sgd=sgd)
    path = tmp_path_factory.mktemp("confidence") / "model"
    nlp.to_disk(path)
    return path


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    docs = docs_of(spacy.blank("en"), np.random.default_rng(2), 200)
    DocBin(docs=docs).to_disk(tmp_path / "gold.spacy")
    return tmp_path / "gold.spacy"


def call(*args: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["confidence", *map(str, args)])
    return result.exit_code, " ".join(result.output.split())


def test_confidence_lowers_the_error_and_saves_the_temperature(model, gold, tmp_path):
    code, said = call(model, gold, "--output", tmp_path / "out")
    assert code == 0, said
    found = {
        name: tuple(float(x) for x in re.search(rf"{name}\D* (\S+) (\S+)", said).groups())
        for name in ("calibration error", "Brier score", "log-loss")
    }
    for before, after in found.values():
        assert after < before
    told = float(re.search(r"Temperature: ([\d.]+)", said).group(1))
    assert told > 1
    nlp = spacy.load(tmp_path / "out")
    assert nlp.pipe_names == ["seqmix_ner", "seqmix_uncertainty"]
    uncertainty = nlp.get_pipe("seqmix_uncertainty")
    assert uncertainty.temperature == pytest.approx(told, abs=1e-3)
    assert uncertainty.component == "seqmix_ner"
    assert np.abs(TEMPERATURES - uncertainty.temperature).min() < 1e-9
    assert all(0 < e._.confidence < 1 for e in nlp("x1 met y2").ents)
    # Fitted again, it is set in place.
    code, said = call(tmp_path / "out", gold, "-o", tmp_path / "again")
    assert code == 0, said
    again = spacy.load(tmp_path / "again")
    assert again.pipe_names == nlp.pipe_names
    assert again.get_pipe("seqmix_uncertainty").temperature == uncertainty.temperature


@pytest.mark.parametrize(
    ("n_docs", "factor", "reason"),
    [(9, 1.0, "18 spans are too few"), (200, 1e-6, "does not lower the log-loss")],
)
def test_confidence_says_when_the_temperature_does_not_help(
    model, tmp_path, n_docs, factor, reason, monkeypatch
):
    monkeypatch.setattr(temperature, "TEMPERATURES", 1 + factor * (temperature.TEMPERATURES - 1))
    docs = docs_of(spacy.blank("en"), np.random.default_rng(3), n_docs)
    DocBin(docs=docs).to_disk(tmp_path / "gold.spacy")
    if factor < 1:  # all temperatures are 1: nothing changes
        monkeypatch.setattr(temperature, "cross_fitted", lambda scored: scored.confidence[0])
    for output, expected in ((), 0), (("-o", tmp_path / "out"), 1):
        code, said = call(model, tmp_path / "gold.spacy", *output)
        assert code == expected, said
        assert "[W590]" in said
        assert reason in said
        assert "✔" not in said
        assert ("[S591]" in said) == bool(output)
    assert not (tmp_path / "out").exists()


def test_confidence_without_output_saves_nothing(model, gold, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    assert call(model, gold)[0] == 0
    assert sorted(tmp_path.rglob("*")) == before


def test_confidence_refuses_a_folder_in_use(model, gold, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("kept", encoding="utf8")
    code, said = call(model, gold, "-o", tmp_path / "out")
    assert code == 1
    assert "S446" in said
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_confidence_refuses_what_cannot_tell(model, gold, tmp_path):
    nlp = spacy.load(model)
    nlp.add_pipe("sentencizer")
    nlp.remove_pipe("seqmix_ner")
    nlp.to_disk(tmp_path / "none")
    code, said = call(tmp_path / "none", gold)
    assert code == 1
    assert "S440" in said
    code, said = call(model, gold, "-c", "sentencizer")
    assert code == 1
    assert "S440" in said
    assert "seqmix_ner" in said
    nlp = spacy.load(model)
    nlp.add_pipe("seqmix_ner", name="second", source=spacy.load(model))
    nlp.to_disk(tmp_path / "two")
    code, said = call(tmp_path / "two", gold)
    assert code == 1
    assert "S447" in said
    assert "'second'" in said


def test_confidence_wants_right_and_wrong_spans(model, tmp_path):
    docs = [Doc(spacy.blank("en").vocab, words=["nothing", "here"])]
    DocBin(docs=docs).to_disk(tmp_path / "none.spacy")
    code, said = call(model, tmp_path / "none.spacy")
    assert code == 1
    assert "S445" in said


def test_confidence_of_a_pipeline_with_a_damaged_config(model, gold, tmp_path):
    path = tmp_path / "damaged"
    shutil.copytree(model, path)
    config = path / "config.cfg"
    config.write_text(config.read_text("utf8") + "\n[nlp]\n", "utf8")
    code, said = call(path, gold)
    assert code == 1
    assert "[S410]" in said
    assert "section 'nlp' already exists" in " ".join(said.split())


@pytest.mark.parametrize("missing", ["model", "gold"])
def test_confidence_of_files_that_are_not_there(model, gold, tmp_path, missing):
    paths = [tmp_path / "no" if missing == name else path
             for name, path in (("model", model), ("gold", gold))]  # fmt: skip
    code, said = call(*paths)
    assert code == 1
    assert "no" in said
