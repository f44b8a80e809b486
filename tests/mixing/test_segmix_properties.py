"""What holds of every doc that is mixed with segments of a pool, as METHOD of SegMix has it."""

from itertools import islice, pairwise

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from spacy_seqmix.annotation import layers, recipes, soft_labels
from spacy_seqmix.mixing.interpolate import make_interpolated
from spacy_seqmix.mixing.segment_pool import make_mention, make_mention_replacement, make_token

BASIC = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
OUTSIDE, PADDING = "O", None


@st.composite
def pools(draw):
    """A strategy over a pool of segments."""
    share = {"segments": draw(st.integers(0, 3)), "alpha": draw(st.sampled_from([0.5, 8.0]))}
    same_type, fold = draw(st.booleans()), draw(st.booleans())
    kind = draw(st.sampled_from(["mention", "token", "replacement"]))
    if kind == "replacement":
        return make_mention_replacement(segments=share["segments"])
    if kind == "mention":
        return make_mention(same_type=same_type, fold=fold, **share)
    return make_token(same_type=same_type, outside=draw(st.booleans()), fold=fold, **share)


def plans_of(docs, strategy, seed):
    return list(islice(strategy(docs, np.random.default_rng(seed)), 6))


def expected(docs, plan, surplus):
    """(word, label -> probability, partner, λ) of every token, one token after the other."""
    target = docs[plan.mixes[0].left.doc]
    found, at = [], 0
    for mix in plan.mixes:
        found += [own(target, i) for i in range(at, mix.left.start)]
        ours = [own(target, i) for i in range(mix.left.start, mix.left.end)]
        theirs = [own(docs[mix.right.doc], i) for i in range(mix.right.start, mix.right.end)]
        at = mix.left.end
        if mix.lam in (0.0, 1.0):
            found += ours if mix.lam else theirs
            continue
        longer, share = (ours, mix.lam) if len(ours) > len(theirs) else (theirs, 1.0 - mix.lam)
        for k, alone in enumerate(longer):
            if k < min(len(ours), len(theirs)):
                (word, a, *_), (partner, b, *_) = ours[k], theirs[k]
                found.append((word, blend(a, b, mix.lam), partner, mix.lam))
            elif surplus == "keep":
                found.append(alone)
            else:
                padded = blend(alone[1], {OUTSIDE: 1.0}, share)
                found.append((alone[0], padded, PADDING, share))
    return found + [own(target, i) for i in range(at, len(target))]


def own(doc, i):
    """A token as it is: its own word alone."""
    soft = soft_labels.of(doc)
    return doc[i].text, dict(zip(soft.labels, soft.probs[i].tolist(), strict=True)), doc[i].text, 1


def blend(a, b, lam):
    return {tag: lam * a.get(tag, 0.0) + (1 - lam) * b.get(tag, 0.0) for tag in {*a, *b}}


@BASIC
@given(data=st.data(), seed=st.integers(0, 5), surplus=st.sampled_from(["keep", "pad"]))
def test_segmix_words_labels_and_recipes_token_by_token(languages, corpora, data, seed, surplus):
    lang, docs = data.draw(corpora)
    plans = plans_of(docs, data.draw(pools()), seed)
    mixed = make_interpolated(surplus).prepare(docs, (), languages[lang][0], None)(plans)
    assert len(mixed) == len(plans)
    for doc, plan in zip(mixed, plans, strict=True):
        tokens = expected(docs, plan, surplus)
        assert [t.text for t in doc] == [word for word, *_ in tokens]
        soft = soft_labels.of(doc)
        for row, (_, labels, *_) in zip(soft.probs, tokens, strict=True):
            assert_allclose(row, [labels.get(tag, 0.0) for tag in soft.labels], atol=1e-6)
        recipe = recipes.get(doc)
        told = {} if recipe is None else dict(zip(recipe.tokens, recipe.partners, strict=True))
        weights = {} if recipe is None else dict(zip(recipe.tokens, recipe.weights, strict=True))
        for i, (word, _, partner, lam) in enumerate(tokens):
            share = weights.get(i, 1.0)
            # A word mixed with itself is itself: whether a recipe says so is no matter.
            assert (told.get(i, word) == partner and share == lam) or word == partner
        for before, tag in pairwise([None, *layers.read(doc)]):
            assert not (tag or "").startswith("I-") or (before or "")[2:] == tag[2:]


@BASIC
@given(data=st.data(), seed=st.integers(0, 5))
def test_segmix_plans_are_of_one_doc_with_others(corpora, data, seed):
    _, docs = data.draw(corpora)
    strategy = data.draw(pools())
    plans = plans_of(docs, strategy, seed)
    assert plans == plans_of(docs, strategy, seed)
    for plan in plans:
        assert len({mix.left.doc for mix in plan.mixes}) == 1
        assert strategy.eligible(docs[plan.mixes[0].left.doc])
        for mix in plan.mixes:
            assert mix.left.doc != mix.right.doc
            assert 0.0 <= mix.lam <= 1.0
            for seg in (mix.left, mix.right):
                assert 0 <= seg.start < seg.end <= len(docs[seg.doc])
                assert not any(t.is_space for t in docs[seg.doc][seg.start : seg.end])
        for a, b in pairwise(plan.mixes):
            assert a.left.end <= b.left.start


@BASIC
@given(data=st.data(), seed=st.integers(0, 5))
def test_segmix_replacement_keeps_labels_hard(languages, corpora, data, seed):
    lang, docs = data.draw(corpora)
    hard = [doc for doc in docs if soft_labels.get(doc) is None]
    plans = plans_of(hard, make_mention_replacement(segments=0), seed)
    for doc in make_interpolated().prepare(hard, (), languages[lang][0], None)(plans):
        assert not soft_labels.is_marked(doc)
        assert recipes.get(doc) is None
