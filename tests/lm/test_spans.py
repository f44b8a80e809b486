"""What is judged of a doc."""

import pytest
import spacy
from spacy.tokens import Doc, DocBin

from spacy_seqmix.annotation.provenance import set_origin
from spacy_seqmix.lm.calibration import calibrate
from spacy_seqmix.lm.causal_lm import CausalLM, perplexity, window_nats
from spacy_seqmix.lm.discriminator import make_perplexity_discriminator
from spacy_seqmix.lm.spans import Passage, Window, passage_of, text_of, window_in

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


@pytest.mark.parametrize("before", ["", " ", "\n\n", "\u00a0", "\ufeff", " \ufeff\t", "\u200b"])
@pytest.mark.parametrize("after", ["", " ", "\n\n", "\ufeff"])
def test_spans_text_without_what_is_around_it(before, after):
    nlp = spacy.blank("en")
    text = "Anna Berg of Oslo won."
    doc = nlp(before + text + after)
    assert text_of(doc) == text_of(doc[:]) == text
    (berg,) = (token.i for token in doc if token.text == "Berg")
    set_origin(doc, origin_of(berg, berg + 1, ["Berg"]))
    assert passage_of(doc) == Passage(text, Window(5, 9, 1, True))
    assert window_in(doc[:], 0, len(doc))[:2] == (0, len(text))


def test_spans_of_blanks_alone():
    doc = spacy.blank("en")(" \n\ufeff ")
    assert text_of(doc) == ""
    assert window_in(doc[:], 0, len(doc)) == Window(0, 0, len(doc), True)


@pytest.mark.parametrize("before", [" ", "\n", "\u00a0", "\ufeff"])
def test_spans_perplexity_without_leading_blanks(tiny_lm_dir, before):
    nlp = spacy.blank("en")
    settings = {"model": str(tiny_lm_dir), "dtype": "float32", "sentences": True}
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("seqmix_discriminator", config=settings)
    text = "Anna won. Nobody came."
    plain, other = nlp(text), nlp(before + text)
    assert other._.perplexity == pytest.approx(plain._.perplexity, rel=1e-5)
    sents = [[sent._.perplexity for sent in doc.sents] for doc in (plain, other)]
    assert sents[0] == pytest.approx(sents[1][-2:], rel=1e-5)


def test_spans_calibration_without_leading_blanks(tiny_lm_dir, tmp_path):
    discriminator = make_perplexity_discriminator(str(tiny_lm_dir), dtype="float32")
    nlp = spacy.blank("en")
    text = "Anna Berg of Oslo won again."
    measured = []
    for number, before in enumerate(("", "\n ")):
        path = tmp_path / f"{number}.spacy"
        DocBin(docs=[nlp(before + text)]).to_disk(path)
        (first,) = (token.i for token in nlp(before + text) if token.text == "Berg")
        windows = FixedWindows(first, first + 2)
        found = calibrate(discriminator, [path], windows=windows, quantiles=(0.0, 1.0))
        measured.append((found.perplexity, found.window_nats))
    assert measured[0] == measured[1]


class FixedWindows:
    """The same tokens of every doc."""

    def __init__(self, start, end):
        self.start, self.end = start, end

    def __call__(self, doc):
        return [doc[self.start : self.end]]

    def describe(self):
        return "these"
