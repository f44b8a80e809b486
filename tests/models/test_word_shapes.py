"""Word shapes beside an encoder that ignores case."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import registry
from transformers import BertConfig, BertTokenizerFast

from spacy_seqmix.models.word_shapes import SCALE, SHAPES, shape_rows, word_shape

from ..tiny import transformer_nlp
from .encoders import build, mixed_doc, save_encoder, step

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
VOCAB = spacy.blank("en").vocab
SHAPED = "spacy-seqmix.ShapeTransformerModel.v1"
TAGGER = {"@architectures": "spacy-seqmix.SoftTagger.v1"}
FREEZE = {"@callbacks": "spacy-seqmix.FreezeEmbeddings.v1"}


def words(text):
    return Doc(VOCAB, words=text.split())


def save(folder, n_unused, lower=True):
    """A random BERT with some unused entries."""
    folder.mkdir()
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    unused = [f"[unused{i}]" for i in range(n_unused)]
    entries = [*marks, *unused, "paris", "the", "f", "##1", "beat", "don", "t", "'", "Paris"]
    (folder / "vocab.txt").write_text("\n".join(entries), "utf8")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=lower)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=24,
        initializer_range=0.2,
    )
    return save_encoder(config, tokenizer, folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save(tmp_path_factory.mktemp("encoders") / "uncased", 12)


@pytest.fixture
def model(folder):
    """A model whose shapes have been learnt."""
    model = build(folder, word_shapes=True)
    teach(model)
    return model


def teach(model):
    rows = list(shape_rows(model.tokenizer))
    table = model.transformer.get_input_embeddings().weight
    values = torch.arange(len(rows) * table.shape[1]).reshape(len(rows), -1) % 7 - 3
    with torch.no_grad():
        table[rows] = values.to(table.dtype) / 50
    return rows_of(model)


def rows_of(model):
    table = model.transformer.get_input_embeddings().weight
    return table[list(shape_rows(model.tokenizer))].detach().clone()


def states(model, *docs):
    return model.predict(list(docs)).model_output.last_hidden_state


def begin(nlp):
    doc = words("the Paris beat F1")
    gold = doc.copy()
    gold.ents = [gold.char_span(4, 9, label="LOC")]
    nlp.initialize(lambda: [Example(doc, gold)])
    return nlp


@pytest.fixture
def nlp(folder):
    """A pipeline whose shapes have been learnt."""
    nlp = begin(transformer_nlp(folder, "seqmix_ner", TAGGER, SHAPED))
    teach(nlp.get_pipe("transformer").model)
    return nlp


def probabilities(nlp):
    *before, last = (proc for _, proc in nlp.pipeline)
    doc = words("the Paris beat F1")
    for proc in before:
        doc = proc(doc)
    return last.predict([doc])[0]


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        *(("paris", "lower"), ("don't", "lower"), ("Paris", "title"), ("PARIS", "upper")),
        *(("U.N.", "upper"), ("P", "letter"), ("McGee", "mixed"), ("iPhone", "mixed")),
        *(("1996", "digits"), ("19:30", "number"), ("F1", "code"), ("--", "sign")),
        *(("東京", "mixed"), ("", "sign"), ("Ǆ", "letter"), ("3rd", "code")),
    ],
)
def test_word_shapes_of_words(text, shape):
    assert SHAPES[word_shape(text)] == shape


def test_word_shapes_change_nothing_at_first(folder):
    plain, ours = build(folder), build(folder, word_shapes=True)
    docs = [words("the Paris beat F1"), words("paris")]
    assert torch.equal(states(plain, *docs), states(ours, *docs))
    assert shape_rows(ours.tokenizer) == tuple(range(5, 14))


def test_word_shapes_are_added_to_the_pieces_of_their_words(model):
    """Beside embeddings that are summed by hand."""
    rows = teach(model)
    doc, other = words("the F1 Paris"), words("PARIS")
    tokenizer, encoder = model.tokenizer, model.transformer.eval()
    encoded = tokenizer([doc.text, other.text], padding=True, return_tensors="pt")
    ids = encoded.pop("input_ids")
    embedded = encoder.get_input_embeddings()(ids).detach()
    names = [["lower", "code", "code", "title"], ["upper"]]
    for row, of_row in enumerate(names):
        for k, name in enumerate(of_row, start=1):  # behind [CLS]
            embedded[row, k] += SCALE * rows[SHAPES.index(name)]
    with torch.no_grad():
        expected = encoder(inputs_embeds=embedded, **encoded)[0]
    torch.testing.assert_close(states(model, doc, other), expected, atol=1e-5, rtol=1e-5)


def test_word_shapes_tell_names_from_words(model):
    lower, title, upper = (states(model, words(t)) for t in ("paris", "Paris", "PARIS"))
    assert not torch.allclose(lower, title)
    assert not torch.allclose(title, upper)


def test_word_shapes_are_those_of_tokens_in_each_text(folder):
    strided = registry.get("span_getters", "spacy-transformers.strided_spans.v1")
    model = build(folder, strided(window=2, stride=1), word_shapes=True)
    teach(model)
    whole = words("the Paris beat")
    parts = [words("the Paris"), words("Paris beat")]
    torch.testing.assert_close(states(model, whole)[:2], states(model, *parts))


def test_word_shapes_learn(model):
    gradient = step(model, [words("the Paris")])[1]
    rows = shape_rows(model.tokenizer)
    touched = {SHAPES[k] for k, row in enumerate(rows) if gradient[row].abs().sum() > 0}
    assert touched == {"lower", "title"}


def test_word_shapes_stay_where_words_are_mixed(model):
    doc = mixed_doc(words("the Paris"), (1, "beat", 0.0))
    rows = shape_rows(model.tokenizer)
    gradient = step(model, [doc])[1]
    assert gradient[rows[SHAPES.index("title")]].abs().sum() > 0
    assert gradient[model.tokenizer.convert_tokens_to_ids("paris")].abs().sum() == 0


@pytest.mark.parametrize("again", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), "copy"])
def test_word_shapes_survive_copies(model, again):
    other = model.copy() if again == "copy" else again(model)
    doc = words("the Paris F1")
    assert torch.equal(states(other, doc), states(model, doc))
    teach(other)
    assert not torch.equal(states(build(model.attrs["name"]), doc), states(other, doc))


def test_word_shapes_survive_the_disk(model, folder):
    docs = [words("the Paris F1")]
    fresh = build(folder, word_shapes=True).from_bytes(model.to_bytes())
    assert torch.equal(states(fresh, *docs), states(model, *docs))


def test_word_shapes_survive_their_pipelines_ways(nlp, tmp_path):
    """Saved and read, taken into another pipeline, and initialised again."""
    expected = probabilities(nlp)
    nlp.to_disk(tmp_path)
    config = nlp.config.copy()
    config["components"] = {name: {"source": str(tmp_path)} for name in nlp.pipe_names}
    for other in (spacy.load(tmp_path), spacy.util.load_model_from_config(config)):
        assert np.array_equal(probabilities(other), expected)
        before = rows_of(other.get_pipe("transformer").model)
        begin(other)
        assert before.any()
        assert torch.equal(rows_of(other.get_pipe("transformer").model), before)


def test_word_shapes_survive_in_place_of_a_listener(nlp, tmp_path):
    expected = probabilities(nlp)
    nlp.replace_listeners("transformer", "seqmix_ner", ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    nlp.to_disk(tmp_path)
    for other in (nlp, spacy.load(tmp_path)):
        assert np.array_equal(probabilities(other), expected)
        (model,) = (m for m in other.get_pipe("seqmix_ner").model.walk() if m.name == "transformer")
        before = rows_of(model)
        begin(other)
        assert torch.equal(rows_of(model), before)


def test_word_shapes_that_are_frozen_at_first(folder, tmp_path, nlp):
    new = transformer_nlp(folder, "seqmix_ner", TAGGER, SHAPED)
    new.config["initialize"]["after_init"] = FREEZE
    with pytest.warns(UserWarning, match=r"\[W227\]"):
        begin(new)
    nlp.to_disk(tmp_path)
    learnt = spacy.load(tmp_path)
    learnt.config["initialize"]["after_init"] = FREEZE
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        begin(learnt)


def test_word_shapes_take_white_space_and_repeated_docs(model):
    doc, spaces = words("the Paris F1"), Doc(VOCAB, words=["\n", "Paris", "\n\n"])
    together = states(model, doc, doc)
    assert torch.equal(together[0], together[1])
    torch.testing.assert_close(together[:1], states(model, doc))
    assert torch.equal(states(model, spaces), states(model, words("Paris")))
    blank = Doc(VOCAB, words=[" "])
    assert torch.equal(states(model, blank), states(build(model.attrs["name"]), blank))


def test_word_shapes_of_texts_that_are_truncated(model):
    model.tokenizer.model_max_length = 4
    whole, part = words("PARIS the Paris beat"), words("PARIS the Paris")
    torch.testing.assert_close(states(model, whole, part)[0], states(model, whole)[0])
    assert states(model, whole, part).shape[1] == 4


def test_word_shapes_take_docs_without_words(folder):
    strided = registry.get("span_getters", "spacy-transformers.strided_spans.v1")
    model = build(folder, strided(window=8, stride=8), word_shapes=True)
    teach(model)
    empty, doc = Doc(VOCAB), words("Paris")
    assert torch.equal(states(model, empty, doc), states(model, doc))


def test_word_shapes_leave_encoders_that_read_case(tmp_path):
    cased = save(tmp_path / "cased", 12, lower=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = build(cased, word_shapes=True)
    assert shape_rows(model.tokenizer) == ()
    before = model.transformer.get_input_embeddings().weight.clone()
    assert torch.equal(states(model, words("the Paris")), states(build(cased), words("the Paris")))
    assert torch.equal(before, build(cased).transformer.get_input_embeddings().weight)


def test_word_shapes_need_unused_entries(tmp_path):
    few = save(tmp_path / "few", len(SHAPES) - 1)
    with pytest.warns(UserWarning, match=r"\[W226\]"):
        model = build(few, word_shapes=True)
    doc = words("the Paris")
    assert torch.equal(states(model, doc), states(build(few), doc))
