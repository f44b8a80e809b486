"""Encoders that mix by recipes, against embeddings mixed by hand; and all that must stay plain."""

import copy
import pickle
import shutil
import threading
from functools import partial

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import registry
from thinc.api import data_validation, set_dropout_rate
from transformers import (
    AlbertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    GPT2Config,
    RobertaConfig,
    XLNetConfig,
)

from spacy_seqmix.annotation import recipes
from spacy_seqmix.models.interpolation_layers import mix_in, mixes_embeddings
from spacy_seqmix.models.mix_transformer import PLAIN

from .encoders import agree, build, byte_level, direct, mixed_doc, save_encoder, spans_of_docs, step

pytestmark = [
    # Loading a transformer warns about its own internals.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
OURS = "spacy-seqmix.MixTransformerModel.v1"
VOCAB = spacy.blank("en").vocab


def words(text):
    """A doc of the words of a text."""
    return Doc(VOCAB, words=text.split())


@pytest.fixture(scope="module")
def model(tiny_encoder_dir):
    return build(tiny_encoder_dir)


# What is mixed

LANDING = ["l", "##a", "##n", "##d", "##ing"]


@pytest.mark.parametrize(
    ("text", "entries", "mixes"),
    [
        # One piece and one piece; the pieces of the text begin with [CLS].
        ("the London", [(1, "Paris", 0.3)], [(0, 2, 0.3, ["Paris"])]),
        # As many pieces.
        ("Kington", [(0, "x-y", 0.9)], [(0, k + 1, 0.9, [p]) for k, p in enumerate("x-y")]),
        # One piece of the partner for all of the token's.
        ("landing", [(0, "the", 0.5)], [(0, k, 0.5, ["the"]) for k in range(1, 6)]),
        # Two for five: 3 and 2.
        (
            "landing",
            [(0, "theton", 0.5)],
            [(0, k, 0.5, ["the" if k < 4 else "##ton"]) for k in range(1, 6)],
        ),
        # Five for one, and five for two: 3 and 2.
        ("Paris", [(0, "landing", 0.2)], [(0, 1, 0.2, LANDING)]),
        (
            "theton",
            [(0, "landing", 0.2)],
            [(0, 1, 0.2, LANDING[:3]), (0, 2, 0.2, LANDING[3:])],
        ),
        # The padding token.
        ("the theton", [(1, None, 0.6)], [(0, 2, 0.6, ["[PAD]"]), (0, 3, 0.6, ["[PAD]"])]),
        # The ends of the range, and a partner that is the word itself.
        ("the London", [(0, "Paris", 1.0)], []),
        ("the London", [(0, "Paris", 0.0)], [(0, 1, 0.0, ["Paris"])]),
        ("the London", [(1, "London", 0.4)], []),
        # Two tokens with a third between them.
        (
            "London the theton",
            [(0, "The", 0.1), (2, "Kington", 0.7)],
            [(0, 1, 0.1, ["The"]), (0, 3, 0.7, ["K", "##ing"]), (0, 4, 0.7, ["##ton"])],
        ),
    ],
)
def test_mix_transformer_mixes_pieces(model, text, entries, mixes):
    agree(model, [mixed_doc(words(text), *entries)], mixes)


def test_mix_transformer_mixes_each_doc_of_a_batch(model):
    docs = [
        words("the London the theton"),
        mixed_doc(words("theton"), (0, "Paris", 0.25)),
        words("Kington"),
        mixed_doc(words("the Paris the the the"), (1, "London", 0.5), (4, None, 0.75)),
        mixed_doc(words("Paris"), (0, "London", 0.125)),
    ]
    mixes = [
        (1, 1, 0.25, ["Paris"]),
        (1, 2, 0.25, ["Paris"]),
        (3, 2, 0.5, ["London"]),
        (3, 5, 0.75, ["[PAD]"]),
        (4, 1, 0.125, ["London"]),
    ]
    agree(model, docs, mixes)


def test_mix_transformer_mixes_a_token_in_each_span(tiny_encoder_dir):
    strided = registry.get("span_getters", "spacy-transformers.strided_spans.v1")
    model = build(tiny_encoder_dir, strided(window=3, stride=2))
    docs = [words("the Paris"), words("London The theton the Paris"), words("the Paris")]
    mixed_doc(docs[1], (2, "Kington", 0.5), (3, "landing", 0.25))
    mixed_doc(docs[2], (1, "the", 0.75))
    texts = ["the Paris", "London The theton", "theton the Paris", "the Paris"]
    mixes = [
        *((1, 3, 0.5, ["K", "##ing"]), (1, 4, 0.5, ["##ton"])),
        *((2, 1, 0.5, ["K", "##ing"]), (2, 2, 0.5, ["##ton"])),
        (2, 3, 0.25, LANDING),
        (3, 2, 0.75, ["the"]),
    ]
    agree(model, docs, mixes, texts)


def test_mix_transformer_mixes_docs_that_are_read(tiny_encoder_dir):
    """Docs without tokens, docs that the span getter leaves out, one doc twice."""

    def without_the_last(docs):
        return [[doc[:]] if len(doc) else [] for doc in docs[:-1]] + [[]]

    model = build(tiny_encoder_dir, without_the_last)
    docs = [
        words("the theton"),
        Doc(VOCAB),
        mixed_doc(words("Paris the"), (0, "London", 0.5)),
        mixed_doc(words("London"), (0, "the", 0.5)),
    ]
    mixes = [(1, 1, 0.5, ["London"])]
    agree(model, docs, mixes, ["the theton", "Paris the"])
    docs.insert(0, docs[2])
    mixes = [(0, 1, 0.5, ["London"]), (2, 1, 0.5, ["London"])]
    agree(model, docs, mixes, ["Paris the", "the theton", "Paris the"])


def test_mix_transformer_mixes_what_is_left_of_long_texts(tiny_encoder_dir):
    model = build(tiny_encoder_dir, tokenizer_config={"model_max_length": 7})
    # Seven pieces, of which spacy-transformers drops the end, the closing mark among them.
    doc = mixed_doc(words("the the landing London Paris"), (2, "theton", 0.5), (4, "The", 0.5))
    states, _ = step(model, [doc])
    assert states.shape[1] == 7
    encoder, tokenizer = model.transformer, model.tokenizer
    vectors = encoder.get_input_embeddings().weight
    the, ton = (vectors[tokenizer.convert_tokens_to_ids(p)] for p in ("the", "##ton"))
    own = [vectors[i] for i in tokenizer("the the landing")["input_ids"][:7]]
    # Four of the five pieces of "landing" are left: two for each of the partner's.
    parts = [None, None, None, the, the, ton, ton]
    rows = [e if p is None else (e + p) / 2 for e, p in zip(own, parts, strict=True)]
    expected = encoder(inputs_embeds=torch.stack(rows)[None], return_dict=True)[0]
    torch.testing.assert_close(states, expected.detach(), atol=1e-5, rtol=1e-5)
    # A mixed token that is cut off altogether, alone: the plain step.
    doc = mixed_doc(words("the the landing London Paris"), (4, "The", 0.5))
    alone = step(model, [doc])
    recipes.put(doc, None)
    assert all(map(torch.equal, alone, step(model, [doc])))


@pytest.mark.parametrize("trim_offsets", [True, False])
def test_mix_transformer_leaves_neighbours_alone(trim_offsets, tmp_path):
    # GPT-2 tells offsets with the space in front of a word, RoBERTa without.
    texts = ["Anna met Bob in Oslo", "in Oslo Anna met Bob", "(Anna) met Olga"]
    tokenizer = byte_level([*texts, "met Olga met Olga"], trim_offsets)
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=16, n_layer=1, n_head=2, n_positions=32)
    config.resid_pdrop = config.embd_pdrop = config.attn_pdrop = 0.0
    model = build(save_encoder(config, tokenizer, tmp_path))
    pieces = tokenizer.convert_ids_to_tokens(tokenizer("Anna met Bob")["input_ids"])
    assert [p for p in pieces if p.startswith("Ġ")] == ["Ġmet", "ĠBob"]
    first = pieces.index("Ġmet")
    assert tokenizer.tokenize(" Olga") == ["ĠOlga"]
    at = [k for k in range(first) if not pieces[k].startswith("<")]
    docs = [mixed_doc(words("Anna met Bob"), (0, "Olga", 0.5))]
    agree(model, docs, [(0, k, 0.5, ["ĠOlga"]) for k in at])
    docs = [mixed_doc(words("Anna met Bob"), (1, "Olga", 0.5))]
    agree(model, docs, [(0, first, 0.5, ["ĠOlga"])])
    # Without a space in front, and with a piece for the space alone.
    doc = mixed_doc(Doc(VOCAB, ["(", "met", "qqq"], spaces=[False, True, False]), (2, "Bob", 0.5))
    pieces = tokenizer.convert_ids_to_tokens(tokenizer("(met qqq")["input_ids"])
    assert "Ġ" in pieces
    agree(model, [doc], [(0, pieces.index("q") + k, 0.5, ["ĠBob"]) for k in range(3)])


def test_mix_transformer_piece_of_two_tokens_is_the_first_ones(model):
    # Pieces know nothing of how spaCy cuts "Paris" in two.
    doc = Doc(VOCAB, words=["Par", "is", "the"], spaces=[False, True, False])
    mixed_doc(doc, (0, "The", 0.25), (1, "London", 0.5))
    agree(model, [doc], [(0, 1, 0.25, ["The"])])


def test_mix_transformer_uncased(tiny_encoder_dir):
    model = build(tiny_encoder_dir, tokenizer_config={"do_lower_case": True})
    doc = mixed_doc(words("The THE t"), (1, "TA", 0.5))
    agree(model, [doc], [(0, 2, 0.5, ["t", "##a"])])


def test_mix_transformer_slow_tokenizer(tiny_encoder_dir):
    model = build(tiny_encoder_dir, tokenizer_config={"use_fast": False})
    doc = mixed_doc(words("the Kington"), (1, "theton", 0.5))
    mixes = [(0, 2, 0.5, ["the"]), (0, 3, 0.5, ["the"]), (0, 4, 0.5, ["##ton"])]
    agree(model, [doc], mixes)


def test_mix_transformer_token_without_pieces(model):
    doc = mixed_doc(Doc(VOCAB, words=["the", "\n", "Paris"]), (1, "London", 0.5))
    agree(model, [doc], [])


SIZES = {"num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 16}
SIZES |= {"intermediate_size": 16, "max_position_embeddings": 40}
KINDS = {
    "albert": (AlbertConfig, {**SIZES, "embedding_size": 8}),
    "deberta": (DebertaV2Config, {**SIZES, "type_vocab_size": 2, "relative_attention": True}),
    "distilbert": (DistilBertConfig, {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 16}),
    "electra": (ElectraConfig, {**SIZES, "embedding_size": 8}),
    "roberta": (RobertaConfig, {**SIZES, "pad_token_id": 1, "type_vocab_size": 1}),
    "xlnet": (XLNetConfig, {"d_model": 16, "n_layer": 1, "n_head": 2, "d_inner": 16}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_mix_transformer_encoders(kind, tmp_path):
    # Spans of the same length: positions and padding are not what is asked about.
    tokenizer = byte_level(["Anna met Bob", "Bob met Olga"] * 9, trim_offsets=True)
    names = {"model_input_names": ["input_ids", "attention_mask"]}
    make, settings = KINDS[kind]
    off = {"dropout": 0.0, "attention_dropout": 0.0}
    config = make(vocab_size=len(tokenizer), **settings, **(off if kind[0] in "dx" else {}))
    model = build(save_encoder(config, tokenizer, tmp_path), tokenizer_config=names)
    docs = [words("Anna met Bob"), mixed_doc(words("Anna met Bob"), (1, "Olga", 0.25))]
    pieces = tokenizer.convert_ids_to_tokens(tokenizer("Anna met Bob")["input_ids"])
    agree(model, docs, [(1, pieces.index("Ġmet"), 0.25, ["ĠOlga"])])


# What stays plain


def pair(folder, **settings):
    """The model and the plain one, both with dropout."""
    return [build(folder, plain=plain, dropout=0.5, **settings) for plain in (False, True)]


def test_mix_transformer_is_plain_but_in_training_with_recipes(tiny_encoder_dir):
    ours, plain = pair(tiny_encoder_dir)
    docs = [words("the London"), words("theton the Paris")]
    assert all(map(torch.equal, step(ours, docs), step(plain, docs)))
    mixed_doc(docs[0], (1, "Paris", 1.0))  # weighted by nothing
    states, _ = step(ours, docs)
    assert torch.equal(states, step(plain, docs)[0])
    mixed_doc(docs[0], (1, "Paris", 0.5))
    assert not torch.equal(step(ours, docs)[0], states)
    before = [m.predict(docs).model_output.last_hidden_state for m in (ours, plain)]
    assert torch.equal(*before)
    recipes.put(docs[0], None)
    assert torch.equal(ours.predict(docs).model_output.last_hidden_state, before[0])


def test_mix_transformer_has_the_plain_structure_and_bytes(tiny_encoder_dir, blank_en):
    ours, plain = pair(tiny_encoder_dir)
    for a, b in zip(ours.walk(), plain.walk(), strict=True):
        for name in ("name", "dim_names", "ref_names", "param_names"):
            assert getattr(a, name) == getattr(b, name)
        assert (type(a), set(a.attrs)) == (type(b), set(b.attrs))
    assert ours.init.args == (plain.init,)
    assert ours.to_bytes() == plain.to_bytes()
    empty = build_uninitialised()
    assert empty[0].to_bytes() == empty[1].to_bytes()
    with torch.no_grad():
        plain.transformer.get_input_embeddings().weight += 1.0
    docs = [mixed_doc(words("the London"), (0, "Paris", 0.5))]
    fresh = empty[0].from_bytes(plain.to_bytes())
    assert torch.equal(
        *(m.predict(docs).model_output.last_hidden_state for m in (fresh, plain)),
    )
    assert torch.equal(step(copy.deepcopy(fresh), docs)[0], step(fresh, docs)[0])
    assert not torch.equal(step(plain, docs)[0], step(fresh, docs)[0])


def build_uninitialised():
    """The model and the plain one, without an encoder yet."""
    return [registry.get("architectures", name)("none", spans_of_docs) for name in (OURS, PLAIN)]


def test_mix_transformer_leaves_settings_as_they_are(tiny_encoder_dir):
    given = {"transformer_config": {"output_attentions": False}, "grad_scaler_config": {}}
    before = copy.deepcopy(given)
    build(tiny_encoder_dir, **given)
    assert given == before


def test_mix_transformer_pickles(tiny_encoder_dir):
    made = build(tiny_encoder_dir)
    docs = [mixed_doc(words("the London"), (0, "Paris", 0.5))]
    again = pickle.loads(pickle.dumps(made))
    assert mixes_embeddings(again)
    assert torch.equal(step(again, docs)[0], step(made, docs)[0])


def test_mix_transformer_all_states_come_through(tiny_encoder_dir):
    model = build(tiny_encoder_dir, transformer_config={"output_hidden_states": True})
    docs = [mixed_doc(words("the London"), (1, "Paris", 0.5))]
    output, _ = model.begin_update(docs)
    mixes = [(0, 2, 0.5, ["Paris"])]
    torch.testing.assert_close(
        output.model_output.last_hidden_state.detach(),
        direct(model, ["the London"], mixes)[0],
    )
    assert [s.shape for s in output.model_output.hidden_states] == [(1, 4, 16)] * 3


# In a pipeline


def pipeline(folder, name=OURS, grad_factor=1.0):
    nlp = spacy.blank("en")
    encoder = {
        "@architectures": name,
        "name": str(folder),
        "get_spans": {"@span_getters": "spacy-transformers.doc_spans.v1"},
    }
    listener = {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "grad_factor": grad_factor,
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    nlp.add_pipe("transformer", config={"model": encoder})
    nlp.add_pipe(
        "seqmix_ner",
        config={"model": {"@architectures": "spacy-seqmix.SoftTagger.v1", "tok2vec": listener}},
    )
    return nlp


def examples(nlp, labelled, mix=True):
    found = []
    for markup in ("[PER Ann Lee] saw [LOC Rome].", "[LOC Oslo] is in [LOC Norway]"):
        gold = labelled(markup)
        found.append(Example(nlp.make_doc(gold.text), gold))
        if mix:
            mixed_doc(found[-1].predicted, (0, "Olga", 0.5), (2, None, 0.5))
    return found


def test_mix_transformer_trains(tiny_encoder_dir, labelled):
    nlp = pipeline(tiny_encoder_dir)
    optimizer = nlp.initialize(lambda: examples(nlp, labelled, mix=False))
    optimizer.learn_rate = 0.01
    losses = [
        nlp.update(examples(nlp, labelled), sgd=optimizer, drop=0.1)["seqmix_ner"]
        for _ in range(15)
    ]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("grad_factor", [1.0, 0.0])
def test_mix_transformer_gradient_of_a_pipeline(tiny_encoder_dir, labelled, grad_factor):
    nlp = pipeline(tiny_encoder_dir, grad_factor=grad_factor)
    nlp.initialize(lambda: examples(nlp, labelled, mix=False))
    nlp.update(examples(nlp, labelled), sgd=False)
    model = nlp.get_pipe("transformer").model
    reached = model.transformer.get_input_embeddings().weight.grad.any(dim=1)
    ids = model.tokenizer.convert_tokens_to_ids(["O", "##l", "##g", "L", "##e"])
    assert reached[ids].tolist() == [grad_factor > 0] * 5


def test_mix_transformer_swaps_with_the_plain_one_on_disk(tiny_encoder_dir, labelled, tmp_path):
    nlp = pipeline(tiny_encoder_dir)
    nlp.initialize(lambda: examples(nlp, labelled, mix=False))
    nlp.update(examples(nlp, labelled))
    nlp.to_disk(tmp_path)
    swap = {"components.transformer.model.@architectures": PLAIN}
    plain, back = spacy.load(tmp_path, config=swap), spacy.load(tmp_path)
    built = pipeline(tiny_encoder_dir).from_bytes(nlp.to_bytes())
    pipelines = (nlp, plain, back, built)
    encoders = [n.get_pipe("transformer") for n in pipelines]
    assert [mixes_embeddings(pipe.model) for pipe in encoders] == [True, False, True, True]
    docs = [mixed_doc(n.make_doc("Ann Lee saw Rome."), (0, "Olga", 0.5)) for n in pipelines]
    said = [
        n.get_pipe("seqmix_ner").predict(list(pipe.pipe([doc])))[0]
        for n, pipe, doc in zip(pipelines, encoders, docs, strict=True)
    ]
    assert all(np.array_equal(said[0], other) for other in said)


def test_mix_transformer_taken_out_of_its_component_is_plain(tiny_encoder_dir, labelled):
    nlp = pipeline(tiny_encoder_dir)
    nlp.initialize(lambda: examples(nlp, labelled, mix=False))
    nlp.replace_listeners("transformer", "seqmix_ner", ["model.tok2vec"])
    config = nlp.config["components"]["seqmix_ner"]["model"]["tok2vec"]
    assert config["@architectures"] == "spacy-transformers.Tok2VecTransformer.v3"
    assert not mixes_embeddings(nlp.get_pipe("seqmix_ner").model)


def test_mix_transformer_mixes_embeddings(model, tiny_encoder_dir):
    assert mixes_embeddings(model)
    assert not mixes_embeddings(build(tiny_encoder_dir, plain=True))
    forward = model._func
    mix_in(model, forward.mixing)
    assert model._func is forward


def test_mix_transformer_under_data_validation(model):
    docs = [mixed_doc(words("the London"), (0, "Paris", 0.5))]
    with data_validation(True):
        model.initialize(X=docs)
        set_dropout_rate(model, 0.1)
        step(model, docs)


# What goes wrong


def hooks(model):
    return [len(m._forward_hooks) for m in model.transformer.modules()]


def test_mix_transformer_leaves_nothing_behind(model, monkeypatch):
    docs = [mixed_doc(words("the London"), (0, "Paris", 0.5))]
    clean = hooks(model)
    step(model, docs)
    assert hooks(model) == clean
    plain = step(model, [words("the London")])

    def fail(*args, **kwargs):
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(model.transformer.encoder, "forward", fail)
        with pytest.raises(RuntimeError, match="out of memory"):
            model.begin_update(docs)
    assert hooks(model) == clean
    assert all(map(torch.equal, step(model, [words("the London")]), plain))


def test_mix_transformer_refuses(model, tiny_encoder_dir):
    clean = hooks(model)
    with pytest.raises(ValueError, match="S242"):
        model.begin_update([mixed_doc(words("the London"), (0, "\u200b", 0.5))])
    stale = mixed_doc(words("the London"), (0, "Paris", 0.5))
    stale.user_data[recipes.KEY]["own"] = ["The"]
    with pytest.raises(ValueError, match="S240"):
        model.begin_update([stale])
    assert hooks(model) == clean


@pytest.mark.parametrize("broken", [None, torch.nn.Embedding(3, 4), NotImplementedError()])
def test_mix_transformer_refuses_encoders_that_look_up_elsewhere(
    tiny_encoder_dir, monkeypatch, broken
):
    model = build(tiny_encoder_dir)

    def get_input_embeddings():
        if isinstance(broken, Exception):
            raise broken
        return broken

    monkeypatch.setattr(model.transformer, "get_input_embeddings", get_input_embeddings)
    model.begin_update([words("the London")])
    with pytest.raises(ValueError, match=r"S244.*BertModel"):
        model.begin_update([mixed_doc(words("the London"), (0, "Paris", 0.5))])


def test_mix_transformer_mixes_its_own_thread_only(model, monkeypatch):
    """Another thread that runs the encoder meanwhile gets what it would get alone."""
    docs = [mixed_doc(words("the London"), (0, "Paris", 0.5))]
    ids = torch.tensor(model.tokenizer(["the London"])["input_ids"])
    layer, encoder = model.transformer.get_input_embeddings(), model.transformer.encoder
    alone, seen, forward = layer(ids), [], encoder.forward

    def meanwhile(*args, **kwargs):
        thread = threading.Thread(target=lambda: seen.append(layer(ids)))
        thread.start()
        thread.join()
        return forward(*args, **kwargs)

    expected = step(model, docs)
    monkeypatch.setattr(encoder, "forward", meanwhile)
    assert all(map(torch.equal, step(model, docs), expected))
    assert torch.equal(seen[0], alone)


# Precision


def test_mix_transformer_in_half_precision(tiny_encoder_dir):
    docs = [mixed_doc(words("the London"), (1, "Paris", 0.25))]
    mixes = [(0, 2, 0.25, ["Paris"])]
    model = build(tiny_encoder_dir)
    model.transformer.bfloat16()
    states, grad = step(model, docs)
    expected, expected_grad = direct(model, ["the London"], mixes)
    assert states.dtype == grad.dtype == torch.bfloat16
    torch.testing.assert_close(states, expected, atol=0.05, rtol=0.05)
    torch.testing.assert_close(grad, expected_grad, atol=0.05, rtol=0.05)
    model = build(tiny_encoder_dir)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states, grad = step(model, docs)
        expected, expected_grad = direct(model, ["the London"], mixes)
    torch.testing.assert_close(states, expected)
    torch.testing.assert_close(grad, expected_grad)


@pytest.mark.filterwarnings("ignore:.*CUDA is not available:UserWarning")
def test_mix_transformer_mixed_precision_without_a_gpu(tiny_encoder_dir):
    docs = [mixed_doc(words("the London"), (1, "Paris", 0.25))]
    off = {"enabled": False}
    model = build(tiny_encoder_dir, mixed_precision=True, grad_scaler_config=off)
    agree(model, docs, [(0, 2, 0.25, ["Paris"])])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("mixed_precision", [False, True])
def test_mix_transformer_on_a_gpu(tiny_encoder_dir, mixed_precision):
    from thinc.api import use_ops

    pytest.importorskip("cupy")
    docs = [mixed_doc(words("the London"), (1, "Paris", 0.25), (0, None, 0.5))]
    expected, expected_grad = step(build(tiny_encoder_dir), docs)
    with use_ops("cupy"):
        model = build(tiny_encoder_dir, mixed_precision=mixed_precision)
        states, grad = step(model, docs)
    close = partial(torch.testing.assert_close, atol=0.05, rtol=0.05)
    close(states.float().cpu(), expected)
    close(grad.float().cpu(), expected_grad)


def test_mix_transformer_of_a_package(tiny_encoder_dir, tmp_path, monkeypatch):
    """Any pipeline of ``spacy train`` may name a model in a package: this layer finds it."""
    package = tmp_path / "another_encoder_package"
    shutil.copytree(tiny_encoder_dir, package / "model")
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    name = "package:another_encoder_package/model"
    nlp = spacy.blank("en")
    layer = {
        "@architectures": OURS,
        "name": name,
        "get_spans": {"@span_getters": "spacy-transformers.doc_spans.v1"},
    }
    nlp.add_pipe("transformer", config={"model": layer})
    nlp.initialize()
    want = nlp("the London")._.trf_data.model_output.last_hidden_state
    nlp.to_disk(tmp_path / "nlp")
    shutil.rmtree(package)  # the trained pipeline has its own copy
    assert nlp.get_pipe("transformer").model.attrs["name"] == name
    again = spacy.load(tmp_path / "nlp")
    np.testing.assert_allclose(
        again("the London")._.trf_data.model_output.last_hidden_state, want, rtol=1e-5
    )


def test_mix_transformer_names_an_encoder_that_is_missing(tmp_path):
    nlp = spacy.blank("en")
    layer = {
        "@architectures": OURS,
        "name": str(tmp_path / "nothing"),
        "get_spans": {"@span_getters": "spacy-transformers.doc_spans.v1"},
    }
    nlp.add_pipe("transformer", config={"model": layer})
    with pytest.raises(OSError, match=r"S220.*nothing.*package:"):
        nlp.initialize()
