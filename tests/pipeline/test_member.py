"""A component that asks another one: it asks in the pipeline that runs it, and in no other."""

import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from numpy.testing import assert_allclose
from spacy.language import Language

from .test_uncertainty import TEXT, build, train

NAME = "seqmix_uncertainty"


def confidences(nlp: Language, text: str = TEXT) -> list[float]:
    """What the pipeline sets, first compared with what its own recogniser says."""
    doc = nlp(text)
    found = [ent._.confidence for ent in doc.ents]
    ner = next(p for n, p in nlp.components if nlp.get_pipe_meta(n).factory == "seqmix_ner")
    assert found
    assert_allclose(found, ner.span_probs([doc])[0], rtol=1e-4)
    return found


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipelines") / "trained"
    build(steps=4).to_disk(folder)
    return folder


def test_member_sourced_in_a_script_asks_the_new_pipeline(saved: Path, tmp_path: Path) -> None:
    other = spacy.load(saved)
    nlp = build(steps=12)
    nlp.remove_pipe(NAME)
    nlp.add_pipe(NAME, source=other)
    new = confidences(nlp)
    train(nlp, 8)
    trained = confidences(nlp)
    assert trained != new
    old = confidences(other)  # the one from which it came still runs it, and asks its own
    assert old != pytest.approx(trained, rel=1e-3)
    nlp.to_disk(tmp_path / "again")
    assert confidences(spacy.load(tmp_path / "again")) == pytest.approx(trained, rel=1e-4)


def test_member_sourced_by_a_config_asks_the_new_pipeline(saved: Path) -> None:
    fresh = build()
    config = fresh.config.copy()
    config["components"][NAME] = {"source": str(saved)}
    nlp = spacy.util.load_model_from_config(config)
    train(nlp, 8)
    confidences(nlp)


def test_member_keeps_no_pipeline_alive(saved: Path) -> None:
    other = spacy.load(saved)
    nlp = build()
    nlp.remove_pipe(NAME)
    nlp.add_pipe(NAME, source=other)
    gone = weakref.ref(other)
    del other
    gc.collect()
    assert gone() is None
    confidences(nlp)


def test_member_of_pipelines_with_one_vocab_and_other_components_is_refused(saved: Path) -> None:
    nlp = build()
    nlp.remove_pipe(NAME)
    other = spacy.load(saved, vocab=nlp.vocab)
    nlp.add_pipe(NAME, source=other)
    with pytest.raises(ValueError, match="S449"):
        nlp(TEXT)
    del other
    gc.collect()
    confidences(nlp)


def test_member_sourced_with_the_component_that_it_asks(saved: Path) -> None:
    other = spacy.load(saved)
    nlp = spacy.blank("en", vocab=other.vocab)
    nlp.add_pipe("seqmix_ner", source=other)
    nlp.add_pipe(NAME, source=other)
    assert confidences(nlp) == confidences(other)


@pytest.mark.parametrize(
    "copied",
    [
        copy.deepcopy,
        lambda nlp: pickle.loads(pickle.dumps(nlp)),
        lambda nlp: nlp.from_config(nlp.config).from_bytes(nlp.to_bytes()),
    ],
    ids=["deepcopy", "pickle", "bytes"],
)
def test_member_of_a_copy_asks_the_copy(copied: Callable[[Language], Language]) -> None:
    nlp = build()
    before = confidences(nlp)
    again = copied(nlp)
    assert again.get_pipe(NAME).latest() is again
    assert confidences(again) == pytest.approx(before, rel=1e-4)
    train(again, steps=12)
    assert confidences(again) != pytest.approx(before, rel=1e-3)
    assert confidences(nlp) == before


@pytest.mark.parametrize("component", [None, "seqmix_ner"])
def test_member_follows_new_names(component: str | None, tmp_path: Path) -> None:
    nlp = build(component=component)
    before = confidences(nlp)
    nlp.rename_pipe("seqmix_ner", "people")
    nlp.rename_pipe(NAME, "doubt")
    nlp.to_disk(tmp_path / "unused")
    nlp.get_pipe("doubt").temperature = 2.0
    nlp.to_disk(tmp_path / "tempered")
    tempered = [e._.confidence for e in nlp(TEXT).ents]
    assert confidences(spacy.load(tmp_path / "unused")) == pytest.approx(before, rel=1e-4)
    again = spacy.load(tmp_path / "tempered")
    assert [e._.confidence for e in again(TEXT).ents] == pytest.approx(tempered, rel=1e-4)


def test_member_loaded_with_its_component_excluded_or_disabled(saved: Path) -> None:
    with pytest.raises(ValueError, match="S442"):
        spacy.load(saved, exclude=["seqmix_ner"])(TEXT)
    nlp = spacy.load(saved, disable=["seqmix_ner"])
    with pytest.raises(ValueError, match=r"S570.*'seqmix_ner' is disabled.*enable_pipe"):
        nlp(TEXT)
    nlp.enable_pipe("seqmix_ner")  # what the message advises
    confidences(nlp)
    with nlp.select_pipes(disable=["seqmix_ner", NAME]):
        assert nlp(TEXT)._.uncertainty is None


def test_member_in_processes_after_sourcing(saved: Path) -> None:
    other = spacy.load(saved)
    nlp = build()
    nlp.remove_pipe(NAME)
    nlp.add_pipe(NAME, source=other)
    here = confidences(nlp)
    (doc,) = nlp.pipe([TEXT], n_process=2)
    assert [e._.confidence for e in doc.ents] == pytest.approx(here, rel=1e-4)
