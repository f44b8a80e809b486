"""A trained pipeline for the commands."""

from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.training import Example
from spacy.util import fix_random_seed

from spacy_seqmix.convert import parse_markup

from ..conftest import NEWS


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small pipeline that has learnt a little of the news."""
    return trained(tmp_path_factory, steps=8)


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small pipeline that knows the news by heart."""
    return trained(tmp_path_factory, steps=40)


def trained(tmp_path_factory: pytest.TempPathFactory, steps: int) -> Path:
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("ner")
    examples = [example(nlp, markup) for markup in NEWS]
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(steps):
        nlp.update(examples, sgd=optimizer)
    folder = tmp_path_factory.mktemp("models") / "round-01"
    nlp.to_disk(folder)
    return folder


def example(nlp: Language, markup: str) -> Example:
    text, spans = parse_markup(markup)
    return Example.from_dict(nlp.make_doc(text), {"entities": spans})
