"""Tiny random encoders of several kinds, and what they say computed from embeddings directly."""

import random

import torch
from spacy.util import registry
from spacy_transformers.data_classes import FullTransformerBatch
from transformers import AutoModel
from transformers.modeling_outputs import ModelOutput

from spacy_seqmix.annotation import recipes
from spacy_seqmix.annotation.recipes import Recipe
from spacy_seqmix.models.mix_transformer import (
    PLAIN,
    build_mix_transformer,
    build_shape_transformer,
)


def spans_of_docs(docs):
    """A span getter: one text a doc."""
    return [[doc[:]] for doc in docs]


def build(folder, get_spans=spans_of_docs, plain=False, dropout=0.0, word_shapes=False, **settings):
    """An initialised model over an encoder in a folder, without dropout if not said otherwise."""
    config = settings.pop("transformer_config", {})
    rates = ("hidden_dropout_prob", "attention_probs_dropout_prob")
    ours = build_shape_transformer if word_shapes else build_mix_transformer
    make = registry.get("architectures", PLAIN) if plain else ours
    model = make(
        str(folder),
        get_spans,
        transformer_config=config | dict.fromkeys(rates, dropout),
        **settings,
    )
    model.initialize()
    return model


def mixed_doc(doc, *entries):
    """Give a doc a recipe of (token, partner, weight) entries."""
    tokens, partners, weights = zip(*entries, strict=True)
    own = tuple(doc[i].text for i in tokens)
    recipes.put(doc, Recipe(tokens, own, partners, weights))
    return doc


def step(model, docs, seed=0):
    """States and the gradient of the input embeddings, after one step with made-up gradients."""
    table = model.transformer.get_input_embeddings().weight
    table.grad = None
    torch.manual_seed(seed)
    output, backprop = model.begin_update(docs)
    states = output.model_output.last_hidden_state
    grads = ModelOutput(last_hidden_state=made_up(states))
    backprop(FullTransformerBatch(output.spans, output.wordpieces, grads, output.align))
    return states.detach(), table.grad.clone()


def made_up(states):
    """A gradient for states: numbers of no meaning, the same ones for the same shape."""
    size = states.numel()
    return (torch.arange(size) % 7 - 3).reshape(states.shape).to(states.dtype) / 10


def direct(model, texts, mixes):
    """The same as ``step`` from embeddings that are mixed piece by piece, by hand.

    mixes: (row, column, weight, pieces of the partner to average) for each mixed piece.
    """
    tokenizer, encoder = model.tokenizer, model.transformer.train()
    layer = encoder.get_input_embeddings()
    layer.weight.grad = None
    limit = {"truncation": True} if tokenizer.model_max_length < 1000 else {}
    encoded = tokenizer(texts, padding=True, return_tensors="pt", **limit)
    rows = list(layer(encoded.pop("input_ids")).unbind())
    for row, column, weight, pieces in mixes:
        ids = tokenizer.convert_tokens_to_ids(list(pieces))
        assert tokenizer.unk_token_id not in ids
        partner = sum(layer(torch.tensor(i)) for i in ids) / len(ids)
        vectors = list(rows[row].unbind())
        vectors[column] = weight * vectors[column] + (1 - weight) * partner
        rows[row] = torch.stack(vectors)
    states = encoder(inputs_embeds=torch.stack(rows), **encoded, return_dict=True)[0]
    states.backward(made_up(states))
    return states.detach(), layer.weight.grad.clone()


def agree(model, docs, mixes, texts=None):
    """Hold a step's states and gradients to those computed directly; a text a doc if not given."""
    states, grad = step(model, docs)
    expected, expected_grad = direct(model, texts or [doc[:].text for doc in docs], mixes)
    torch.testing.assert_close(states, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(grad, expected_grad, atol=1e-5, rtol=1e-5)


def save_encoder(config, tokenizer, folder):
    """Write a random encoder with its tokenizer."""
    before = random.getstate()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModel.from_config(config).save_pretrained(folder)
    random.setstate(before)
    tokenizer.save_pretrained(folder)
    return folder


def byte_level(texts, trim_offsets, add_prefix_space=False):
    """A tokenizer of bytes and pairs, as GPT-2's and RoBERTa's, whose marks have ids 0 to 3."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    marks = {name: f"<{name}>" for name in ("bos_token", "pad_token", "eos_token", "unk_token")}
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=list(marks.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = (
        processors.RobertaProcessing(("<eos_token>", 2), ("<bos_token>", 0), True, add_prefix_space)
        if trim_offsets
        else processors.ByteLevel(trim_offsets=False)
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks)
