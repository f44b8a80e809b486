"""What is judged of a doc."""

import pytest
import spacy
from spacy.tokens import Doc

from spacy_seqmix.annotation.provenance import set_origin
from spacy_seqmix.lm.causal_lm import CausalLM, perplexity, window_nats
from spacy_seqmix.lm.discriminator import make_perplexity_discriminator
from spacy_seqmix.lm.spans import Passage, Window, passage_of, window_in

from ..mixed import origin_of

TEXT = "It rained . Anna Berg of Oslo won again . Nobody came ."
WORDS = TEXT.split()


def make(start=None, end=None, sents=True):
    starts = [i in (0, 3, 10) for i in range(len(WORDS))] if sents else None
    doc = Doc(spacy.blank("en").vocab, words=WORDS, sent_starts=starts)
    if start is not None:
        set_origin(doc, origin_of(start, end, WORDS[start:end]))
    return doc


def test_windows_passage_of_a_doc():
    assert passage_of(make()) == passage_of(make(), "sentence") == Passage(" ".join(WORDS), None)
    assert passage_of(make(5, 7)) == Passage(" ".join(WORDS), Window(22, 29, 2, False))


def test_windows_passage_of_a_sentence():
    sentence = "Anna Berg of Oslo won again ."
    # The third token of its sentence, though the sixth of the doc.
    assert passage_of(make(5, 7), "sentence") == Passage(sentence, Window(10, 17, 2, True))
    assert passage_of(make(7, 9), "sentence") == Passage(sentence, Window(18, 27, 2, False))
    both = passage_of(make(2, 5), "sentence")
    assert both.text == "It rained . Anna Berg of Oslo won again ."
    with pytest.raises(ValueError, match=r"\[S314\]"):
        passage_of(make(5, 7, sents=False), "sentence")


def test_windows_window_in_a_span():
    doc = make()
    assert window_in(doc[3:10], 3, 5) == Window(0, 9, 2, True)


def test_windows_judge_of_sentences_scores_them_by_themselves(tiny_lm_dir):
    discriminator = make_perplexity_discriminator(
        str(tiny_lm_dir), dtype="float32", unit="sentence"
    )
    (verdict,) = discriminator([make(5, 7)])
    lm = CausalLM.load(str(tiny_lm_dir), dtype="float32")
    (want,) = lm.token_nlls(["Anna Berg of Oslo won again ."])
    assert verdict.perplexity == pytest.approx(perplexity(want), rel=1e-4)
    assert verdict.window_nats == pytest.approx(window_nats(want, 10, 17, 2), rel=1e-4)
