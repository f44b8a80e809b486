"""A tiny run: thirty sentences, a small CNN, four steps a round."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from spacy.tokens import Doc, DocBin
from thinc.api import Config

from spacy_seqmix.active.loop import ActiveRun
from spacy_seqmix.config import load_config

TRAINING = """
[paths]
train = null
dev = null

[system]
seed = 0
gpu_allocator = null

[nlp]
lang = "en"
pipeline = ["seqmix_ner"]
batch_size = 64

[components]

[components.seqmix_ner]
factory = "seqmix_ner"

[components.seqmix_ner.model]
@architectures = "spacy-seqmix.SoftTagger.v1"

[components.seqmix_ner.model.tok2vec]
@architectures = "spacy.HashEmbedCNN.v2"
pretrained_vectors = null
width = 32
depth = 1
embed_size = 200
window_size = 1
maxout_pieces = 2
subword_features = true

[corpora]

[corpora.train]
@readers = "spacy-seqmix.Corpus.v1"
path = ${paths.train}

[corpora.dev]
@readers = "spacy-seqmix.Corpus.v1"
path = ${paths.dev}

[training]
seed = ${system.seed}
gpu_allocator = ${system.gpu_allocator}
train_corpus = "corpora.train"
dev_corpus = "corpora.dev"
max_steps = 10

[training.batcher]
@batchers = "spacy.batch_by_sequence.v1"
size = 4

[training.optimizer]
@optimizers = "Adam.v1"
learn_rate = 0.02
use_averages = false

[initialize]
"""

ACTIVE = """
[paths]
pool = null
dev = null
encoder = null

[active]
extends = "training.cfg"
pool = ${paths.pool}
dev = ${paths.dev}
n_seed = 8
n_query = 4
n_rounds = 2
max_steps = 4

[active.policy]
@misc = "spacy-seqmix.NTE.v1"

[active.committee]
members = 3
kind = "seeds"

[active.oracle]
@misc = "spacy-seqmix.GoldOracle.v1"

[active.mixing]
rate = 0.5

[active.mixing.strategy]
@misc = "spacy-seqmix.SubSequence.v1"
window = 3
density = 0.6

[active.mixing.realiser]
@misc = "spacy-seqmix.NearestToken.v1"

[active.mixing.realiser.table]
@misc = "spacy-seqmix.WordTable.v1"
encoder = ${paths.encoder}
"""

NER = """
[components.ner]
factory = "ner"

[components.ner.model]
@architectures = "spacy.TransitionBasedParser.v2"
state_type = "ner"
extra_state_tokens = false
hidden_width = 16
maxout_pieces = 2
use_upper = true

[components.ner.model.tok2vec]
@architectures = "spacy.HashEmbedCNN.v2"
pretrained_vectors = null
width = 32
depth = 1
embed_size = 200
window_size = 1
maxout_pieces = 2
subword_features = true
"""


@pytest.fixture(scope="session")
def write_files(all_news: list[Doc], tiny_encoder_dir: Path) -> Callable[[Path], dict[str, Any]]:
    """A function that writes configs and corpora; it gives what a command would override."""

    def write(folder: Path) -> dict[str, Any]:
        (folder / "training.cfg").write_text(TRAINING)
        (folder / "active.cfg").write_text(ACTIVE)
        DocBin(docs=all_news[:22], store_user_data=True).to_disk(folder / "pool.spacy")
        DocBin(docs=all_news[22:]).to_disk(folder / "dev.spacy")
        return {
            "paths.pool": str(folder / "pool.spacy"),
            "paths.dev": str(folder / "dev.spacy"),
            "paths.encoder": str(tiny_encoder_dir),
        }

    return write


@pytest.fixture
def files(tmp_path: Path, write_files: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """Configs and corpora of one test."""
    return write_files(tmp_path)


@pytest.fixture
def ner_files(files: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """The same with spaCy's own NER."""
    own = TRAINING[TRAINING.index("[components.seqmix_ner]") : TRAINING.index("[corpora]")]
    text = TRAINING.replace(own, NER + "\n").replace('["seqmix_ner"]', '["ner"]')
    (tmp_path / "training.cfg").write_text(text)
    return {**files, "active.component": "ner"}


@pytest.fixture
def configure(files: dict[str, Any], tmp_path: Path) -> Callable[..., Config]:
    """A function from overrides (as dots in keys, given as a dict) to a config."""

    def make(overrides: dict[str, Any] | None = None) -> Config:
        return load_config(tmp_path / "active.cfg", {**files, **(overrides or {})})

    return make


@pytest.fixture
def start(configure: Callable[..., Config], tmp_path: Path) -> Callable[..., ActiveRun]:
    """A function that opens a run in a folder of this name."""

    def make(overrides: dict[str, Any] | None = None, name: str = "run") -> ActiveRun:
        return ActiveRun(configure(overrides), tmp_path / name, progress=False)

    return make
