"""Tiny teachers, and the config of a tiny student."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import fix_random_seed

from spacy_seqmix.annotation.docbins import write_docs

from ..active.conftest import TRAINING
from ..tiny import TINY_CNN

ARCHITECTURE = {"@architectures": "spacy-seqmix.SoftTagger.v1", "tok2vec": TINY_CNN}


def make_teacher(docs: list[Doc], seed: int = 0, n_steps: int = 25) -> Language:
    """A pipeline that has learnt some docs by heart, or with 0 steps nothing."""
    fix_random_seed(seed)
    nlp = spacy.blank("en")
    nlp.add_pipe("seqmix_ner", config={"model": ARCHITECTURE})
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.02
    for _ in range(n_steps):
        nlp.update(examples, sgd=optimizer)
    return nlp


@pytest.fixture(scope="session")
def teacher(all_news: list[Doc], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained teacher."""
    path = tmp_path_factory.mktemp("teachers") / "first"
    make_teacher(all_news).to_disk(path)
    return path


@pytest.fixture(scope="session")
def other_teacher(all_news: list[Doc], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of another one, with the same labels."""
    path = tmp_path_factory.mktemp("teachers") / "second"
    make_teacher(all_news, seed=1, n_steps=3).to_disk(path)
    return path


@pytest.fixture
def student(tmp_path: Path) -> Path:
    """The config of a student."""
    path = tmp_path / "student.cfg"
    path.write_text(TRAINING, "utf8")
    return path


@pytest.fixture
def texts(all_news: list[Doc], tmp_path: Path) -> Path:
    """A file of 24 texts."""
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(doc.text for doc in all_news[:24]), "utf8")
    return path


@pytest.fixture
def dev(all_news: list[Doc], tmp_path: Path) -> Path:
    """Eight labelled docs, of which two are among the texts."""
    path = tmp_path / "dev.spacy"
    write_docs(all_news[22:], path)
    return path


@pytest.fixture
def one_label(labelled: Callable[[str], Doc], tmp_path: Path) -> Path:
    """The folder of a teacher that knows one label only."""
    path = tmp_path / "one-label"
    make_teacher([labelled("[PER Ann] won.")], n_steps=0).to_disk(path)
    return path
