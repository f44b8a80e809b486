"""Embeddings that training leaves as they are."""

import numpy as np
import pytest
import spacy
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.util import registry

from spacy_seqmix.mixing.interpolate import make_interpolated
from spacy_seqmix.mixing.mix import Mixer, mix_docs
from spacy_seqmix.mixing.segment_pool import make_mention
from spacy_seqmix.models.torch_modules import modules_of
from spacy_seqmix.training.augmenter import make_example

from ..tiny import TINY_CNN, transformer_nlp

CALLBACK = {"@callbacks": "spacy-seqmix.FreezeEmbeddings.v1"}
TAGGER = {"@architectures": "spacy-seqmix.SoftTagger.v1"}

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def freezing(nlp, **settings):
    nlp.config["initialize"]["after_init"] = CALLBACK | settings
    return nlp


def weights(nlp):
    """The encoder's weights by name."""
    (module,) = modules_of(nlp, ["transformer"])
    return {name: value.detach().numpy().copy() for name, value in module.named_parameters()}


def changed(nlp, news):
    """The names of the encoder's weights that three steps change."""
    examples = [make_example(nlp, doc) for doc in news[:4]]
    nlp.initialize(lambda: examples)
    before = weights(nlp)
    for _ in range(3):
        nlp.update(examples)
    after = weights(nlp)
    return {name for name in before if not np.array_equal(before[name], after[name])}


@pytest.mark.parametrize("components", [None, ["transformer"]])
def test_freeze_keeps_the_embeddings_and_nothing_else(tiny_bert_dir, news, components):
    plain = changed(transformer_nlp(tiny_bert_dir, "seqmix_ner", TAGGER), news)
    nlp = freezing(transformer_nlp(tiny_bert_dir, "seqmix_ner", TAGGER), components=components)
    embeddings = {name for name in plain if name.endswith("embeddings.weight")}
    assert {name.rsplit(".", 2)[1] for name in embeddings} >= {"word_embeddings"}
    assert plain - changed(nlp, news) == embeddings


def test_freeze_where_the_encoder_mixes(tiny_bert_dir, news, blank_en):
    mixer = Mixer(make_mention(segments=0), make_interpolated(), rate=0.5)
    mixed, _ = mix_docs(news, mixer, np.random.default_rng(0), blank_en)
    layer = "spacy-seqmix.MixTransformerModel.v1"
    plain = changed(transformer_nlp(tiny_bert_dir, "seqmix_ner", TAGGER, layer), mixed)
    nlp = freezing(transformer_nlp(tiny_bert_dir, "seqmix_ner", TAGGER, layer))
    kept = plain - changed(nlp, mixed)
    assert kept == {name for name in plain if name.endswith("embeddings.weight")} < plain


def test_freeze_in_a_training_config_that_starts_from_a_pipeline(tiny_bert_dir, news, tmp_path):
    nlp = transformer_nlp(tiny_bert_dir, "seqmix_ner", TAGGER)
    nlp.initialize(lambda: [Example(nlp.make_doc(doc.text), doc) for doc in news[:4]])
    nlp.to_disk(tmp_path / "first")
    assert not frozen(spacy.load(tmp_path / "first"))
    config = nlp.config.copy()
    config["initialize"]["after_init"] = CALLBACK
    config["components"] = {name: {"source": str(tmp_path / "first")} for name in nlp.pipe_names}
    path = tmp_path / "train.spacy"
    spacy.tokens.DocBin(docs=news[:4]).to_disk(path)
    reader = {"@readers": "spacy.Corpus.v1", "path": str(path)}
    config["corpora"] = {"train": reader, "dev": reader}
    again = init_nlp(config)
    assert {name.rsplit(".", 2)[1] for name in frozen(again)} >= {"word_embeddings"}


def frozen(nlp):
    (module,) = modules_of(nlp, ["transformer"])
    return [name for name, value in module.named_parameters() if not value.requires_grad]


def test_freeze_where_there_is_nothing_to_freeze(tiny_bert_dir, news):
    nlp = freezing(transformer_nlp(tiny_bert_dir, "seqmix_ner", TAGGER), components=["seqmix_ner"])
    with pytest.raises(ValueError, match=r"S218.*\['seqmix_ner'\]"):
        changed(nlp, news)
    cnn = spacy.blank("en")
    cnn.add_pipe("seqmix_ner", config={"model": TAGGER | {"tok2vec": TINY_CNN}})
    with pytest.raises(ValueError, match="S218"):
        registry.get("callbacks", CALLBACK["@callbacks"])()(cnn)
