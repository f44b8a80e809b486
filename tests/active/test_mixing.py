"""One mixer or several in [active.mixing]."""

from __future__ import annotations

import numpy as np
import pytest

from spacy_seqmix.active.mixing import make_mixers, mix_round
from spacy_seqmix.mixing.interpolate import make_interpolated
from spacy_seqmix.mixing.mix import mix_docs
from spacy_seqmix.mixing.segment_pool import make_mention, make_mention_replacement

MENTIONS = {"strategy": make_mention(), "realiser": make_interpolated(), "rate": 0.2}
REPLACED = {"strategy": make_mention_replacement(), "realiser": make_interpolated(), "rate": 0.1}


def mix(mixers, docs, nlp):
    settings = {"corpus": (), "trained": None, "number": 0, "n_docs": len(docs), "progress": False}
    return mix_round(mixers, docs, (3, 1, 0), nlp, **settings)


def test_mixing_one_or_several():
    assert make_mixers(None) == make_mixers({}) == []
    assert make_mixers({**MENTIONS, "rate": 0}) == []
    (one,) = make_mixers(MENTIONS)
    assert (one.strategy, one.rate) == (MENTIONS["strategy"], 0.2)
    several = make_mixers({"b": MENTIONS, "a": REPLACED, "c": {**MENTIONS, "rate": 0.0}})
    assert [mixer.rate for mixer in several] == [0.1, 0.2]


@pytest.mark.parametrize(
    ("mixing", "message"),
    [
        ({"a": MENTIONS, "b": 1}, r"S402.*mixing\.b"),
        ({"a": {**MENTIONS, "strategy": None}}, r"S402.*mixing\.a\.strategy"),
        ({**MENTIONS, "realiser": None}, r"S402.*mixing\.realiser"),
        ({**MENTIONS, "rat": 0.1}, r"S402.*mixing\.rat: there is no such field"),
        ({**MENTIONS, "realiser": "x"}, "S212.*realiser"),
        ({**MENTIONS, "discriminator": "gpt2"}, "S212.*discriminator"),
        ({**MENTIONS, "rate": 1e308}, "S212.*rate from 0 to 1000, not 1e"),
        ({**MENTIONS, "labels": "warm"}, "S212"),
    ],
)
def test_mixing_that_is_wrong(mixing, message):
    with pytest.raises(ValueError, match=message):
        make_mixers(mixing)


def test_mixing_round_has_what_each_mixer_makes(news, blank_en):
    first, second = make_mixers({"a": MENTIONS, "b": REPLACED})
    docs, counts = mix([first, second], news, blank_en)
    alone, alone_counts = mix_docs(news, first, np.random.default_rng((3, 1, 0)), blank_en)
    other, other_counts = mix_docs(news, second, np.random.default_rng((3, 1, 0, 1)), blank_en)
    assert [doc.text for doc in docs] == [doc.text for doc in [*alone, *other]]
    assert len(docs) == 6 + 3
    assert counts.docs == len(news)
    assert counts.eligible == alone_counts.eligible == other_counts.eligible <= counts.docs
    assert counts.kept == alone_counts.kept + other_counts.kept
    assert [doc.text for doc in mix([first], news, blank_en)[0]] == [doc.text for doc in alone]
