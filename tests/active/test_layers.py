"""What a run mixes: layers that its component learns, words with static vectors."""

import numpy as np
import pytest
import spacy

from spacy_seqmix.active.loop import ActiveRun
from spacy_seqmix.config import load_config

from ..mixed import part_of

pytestmark = pytest.mark.usefixtures("encoders_once")


def test_run_refuses_a_layer_that_its_component_does_not_learn(start):
    with pytest.raises(ValueError, match=r"S433.*'tags'.*'seqmix_ner'.*'layer' to 'ents'"):
        start({"active.mixing.strategy.layer": "tags"})
    # Without mixing it does not matter.
    assert start({"active.mixing.strategy.layer": "tags", "active.mixing.rate": 0.0})


def test_run_mixes_words_with_the_static_vectors_of_its_training(files, news, tmp_path):
    nlp, rng = spacy.blank("en"), np.random.default_rng(0)
    for word in sorted({token.text for doc in news for token in doc}):
        nlp.vocab.set_vector(word, rng.normal(size=8).astype("float32"))
    nlp.to_disk(tmp_path / "vectors")
    path = tmp_path / "active.cfg"
    text = path.read_text().replace("WordTable.v1", "VectorsTable.v1")
    path.write_text(text.replace("encoder = ${paths.encoder}\n", ""))
    training = tmp_path / "training.cfg"
    training.write_text(training.read_text() + f'vectors = "{tmp_path / "vectors"}"\n')
    run = ActiveRun(load_config(path, files), tmp_path / "run", progress=False)
    assert run.run()[-1].n_mixed == 8
    known = {token.text for doc in news for token in doc}
    for docs in run.mixed:
        for doc in docs:
            assert set(part_of(doc).words) <= known
