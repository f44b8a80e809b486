"""What holds of every strategy: its plans are just the pairs that the rules allow."""

from itertools import islice, pairwise

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spacy_seqmix.annotation import soft_labels

from ..mixed import mix_of

BASIC = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def usable(doc, start, end, density):
    """The rules that all segments keep, counted token by token."""
    soft = soft_labels.of(doc)
    outside = soft.labels.index("O")
    mass = sum(1.0 - float(soft.probs[i, outside]) for i in range(start, end))
    return (
        0 <= start < end <= len(doc)
        and mass / (end - start) >= density - 1e-6
        and all(soft.probs[i].any() and not doc[i].is_space for i in range(start, end))
        and not any(doc[i].is_sent_start for i in range(start + 1, end))
    )


def cuts(doc, start, end):
    """Whether an entity goes on across either border."""
    tags = [*soft_labels.hard_tags(doc), None]
    return any((tags[i] or "").startswith("I-") for i in (start, end))


def sentences(doc):
    """(start, end) of each sentence without whitespace at its ends."""
    borders = [i for i in range(1, len(doc)) if doc[i].is_sent_start]
    for start, end in pairwise([0, *borders, len(doc)]):
        inside = [i for i in range(start, end) if not doc[i].is_space]
        if inside:
            yield inside[0], inside[-1] + 1


def certain(doc, start, end):
    """Whether each label of the segment is the one of its tag, without doubt."""
    soft, tags = soft_labels.of(doc), soft_labels.hard_tags(doc)
    return all(
        tags[i] is not None and soft.probs[i, soft.labels.index(tags[i])] > 0.999
        for i in range(start, end)
    )


def expected_pairs(docs, kind, values):
    """Every pair that the rules allow, by comparing all with all."""
    found = []
    for d, doc in enumerate(docs):
        if kind == "whole":
            spans = [(a, b) for a, b in sentences(doc) if not cuts(doc, a, b)]
        else:
            s = values["window"]
            spans = [(a, a + s) for a in range(len(doc) - s + 1)]
            if values["keep_entities"]:
                spans = [(a, b) for a, b in spans if not cuts(doc, a, b)]
        for a, b in spans:
            if not usable(doc, a, b, values["density"]):
                continue
            if kind == "constrained":
                if certain(doc, a, b):
                    key = tuple(soft_labels.hard_tags(doc)[a:b])
                    found.append(((d, a, b), key, doc.text))
            else:
                found.append(((d, a, b), b - a, doc[a:b].text if kind == "whole" else doc.text))
    return {
        frozenset({one, two})
        for one, key, text in found
        for two, other_key, other_text in found
        if one[0] < two[0] and key == other_key and text != other_text
    }


def spot(segment):
    return segment.doc, segment.start, segment.end


@BASIC
@given(data=st.data(), seed=st.integers(0, 5))
def test_plans_are_the_pairs_that_the_rules_allow(corpora, strategies, data, seed):
    _, docs = data.draw(corpora)
    kind, values, strategy = data.draw(strategies())
    expected = expected_pairs(docs, kind, values)
    plans = list(islice(strategy(docs, np.random.default_rng(seed)), 3000))
    pairs = [frozenset({spot(mix_of(plan).left), spot(mix_of(plan).right)}) for plan in plans]
    assert len(set(pairs)) == len(pairs)
    assert set(pairs) <= expected
    assert len(pairs) == min(len(expected), 3000)
    used = {segment.doc for plan in plans for segment in (mix_of(plan).left, mix_of(plan).right)}
    assert all(strategy.eligible(docs[i]) for i in used)
    for plan in plans:
        assert len(mix_of(plan).left) == len(mix_of(plan).right)
        assert 0.0 <= mix_of(plan).lam <= 1.0
        assert plan.both_ways == (kind != "whole")
