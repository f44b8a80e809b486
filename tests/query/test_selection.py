"""What is asked of the best docs: budgets, near-duplicates, diversity."""

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_seqmix.query import selection
from spacy_seqmix.query.diverse import one_per_cluster
from spacy_seqmix.query.selection import Budget, NearDuplicates, ranked, select, shingles

VOCAB = spacy.blank("xx").vocab
LONG = " ".join(f"word{i}" for i in range(29))


def docs_of(*texts):
    return {10 + i: Doc(VOCAB, words=text.split(" ")) for i, text in enumerate(texts)}


@given(
    scores=st.lists(st.integers(0, 4), max_size=20),
    budget=st.integers(0, 25),
    seed=st.integers(0, 5),
)
def test_select_by_docs_alone_is_the_ranking(scores, budget, seed):
    docs = docs_of(*["w"] * len(scores))
    values = np.array(scores, dtype="float32")
    ranking = ranked(values, list(docs), np.random.default_rng(seed))
    assert select(ranking, docs, Budget(docs=budget)) == ranking[:budget]
    assert select(ranking, docs, Budget()) == ranking


def test_select_by_tokens_never_skips_a_doc_for_a_shorter_one():
    docs = docs_of("a b c", "a b c d", "a", "a")
    ranking = list(docs)
    assert select(ranking, docs, Budget(tokens=7)) == [10, 11]
    assert select(ranking, docs, Budget(tokens=6)) == [10]
    assert select(ranking, docs, Budget(tokens=2)) == [10]  # a single doc may be too long
    assert select(ranking, docs, Budget(tokens=0)) == []
    assert select(ranking, docs, Budget(tokens=100)) == ranking
    assert select(ranking, docs, Budget(docs=3, tokens=100)) == ranking[:3]
    assert select(ranking, docs, Budget(docs=3, tokens=7)) == ranking[:2]


def test_select_asks_near_duplicates_once():
    other = LONG.replace("word14", "other")
    docs = docs_of("known before", LONG, other, "Ann met Bo", "Ann met Bo .", "Ann met Cy", LONG)
    asked = NearDuplicates(texts=["known before!"])
    assert select(list(docs), docs, Budget(docs=2), asked) == [11, 13]
    # the rest of the ranking, for those that are asked next
    assert select([10, 12, 14, 15, 16], docs, Budget(docs=9), asked) == [15]
    assert select(list(docs), docs, Budget(docs=9), asked) == []
    assert select(list(docs), docs, Budget(docs=9)) == list(docs)


@pytest.mark.parametrize(
    ("first", "second", "near"),
    [
        (LONG, LONG.replace("word14", "other"), True),  # (29 - 5) / (29 + 1) = 0.8
        (LONG + " end", LONG.replace("word14", "other") + " end", True),
        (LONG[:-7], LONG[:-7].replace("word14", "other"), False),
        ("Ann met Bo in Rome.", "ann  MET Bo in 'Rome'", True),
        ("Ann met Bo in Rome.", "Ann met Bo in Oslo.", False),
        ("Page 3 of 10", "Page 4 of 10", False),
        ("one", "two", False),
        ("one", "One!", True),
        ("!!!", "???", False),
        ("!!!", "!!!", True),
        (
            "我昨天在北京大学见到了李明和他的老师王芳" * 2,
            "我昨天在北京大学见到了李明和他的老师王芳。" * 2,
            True,
        ),
        ("我昨天在北京见到了李明", "我昨天在上海见到了李明", False),
        ("สวัสดีครับผมชื่อสมชาย", "สวัสดีครับ ผมชื่อสมชาย", True),
        ("سافرت ليلى إلى حلب", "سافرت ليلى، إلى حلب.", True),
        ("हिन्दी में लिखा हुआ", "हिन्दी में लिखा गया", False),
        ("\uff21\uff22\u3000\uff11", "ab 1", True),
        ("🙂 🙂 🙂 🙂", "🙂 🙂 🙂 🙃", False),
    ],
)
def test_near_duplicates_by_hand(first, second, near):
    assert (second in NearDuplicates(0.8, [first])) == near
    assert (first in NearDuplicates(0.8, [second])) == near
    assert first in NearDuplicates(1.0, [first])


def test_shingles_keep_marks_and_count_characters_without_blanks():
    assert shingles("हिन्दी में लिखा") == {("हिन्दी", "में", "लिखा")}
    assert shingles("去北京了") == {("去", "北", "京"), ("北", "京", "了")}
    assert shingles("A b") == {("a", "b")}
    assert shingles(" ?! ") == {("?!",)}


WORDS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=8).map(" ".join)


@given(known=st.lists(WORDS, max_size=6), text=WORDS, threshold=st.floats(0.05, 1.0))
def test_near_duplicates_are_those_of_all_pairs(known, text, threshold):
    def similarity(a, b):
        return len(shingles(a) & shingles(b)) / len(shingles(a) | shingles(b))

    expected = any(similarity(a, text) >= threshold - 1e-12 for a in known)
    close = any(abs(similarity(a, text) - threshold) < 1e-9 for a in known)
    assert close or (text in NearDuplicates(threshold, known)) == expected


def test_select_looks_at_no_more_of_a_large_pool_than_it_needs(monkeypatch):
    looked = []
    monkeypatch.setattr(selection, "shingles", lambda text: looked.append(text) or shingles(text))
    doc = {True: Doc(VOCAB, words=["a", "b", "c"]), False: Doc(VOCAB, words=["d", "e", "f"])}

    class Many(dict):
        def __missing__(self, number):
            return Doc(VOCAB, words=["a", str(number), "c", "d"]) if number % 2 else doc[True]

    chosen = select(range(100_000), Many(), Budget(docs=50), NearDuplicates())
    assert chosen == [0, *range(1, 98, 2)]
    assert len(looked) < 300


def test_one_per_cluster_takes_the_most_wanted_of_each():
    rng = np.random.default_rng(0)
    centres = np.eye(3)[[0, 0, 1, 0, 1, 2, 2, 1, 0]]
    vectors = (centres + rng.normal(scale=0.01, size=centres.shape)).astype("float32")
    assert one_per_cluster(vectors, 3, seed=0) == [0, 2, 5]
    assert one_per_cluster(vectors * np.arange(1, 10)[:, None], 3, seed=0) == [0, 2, 5]
    assert one_per_cluster(vectors, 9, seed=0) == one_per_cluster(vectors, 12, 0) == [*range(9)]
    assert one_per_cluster(vectors[:0], 3, seed=0) == []


@pytest.mark.filterwarnings("error")
def test_one_per_cluster_of_equal_vectors_fills_up_by_rank():
    vectors = np.array([[1, 0], [1, 0], [0, 0], [1, 0], [0, 0], [1, 0]], dtype="float32")
    assert one_per_cluster(vectors, 2, seed=0) == [0, 2]
    assert one_per_cluster(vectors, 4, seed=0) == [0, 1, 2, 3]


def test_select_diverse_docs_among_the_ten_times_best():
    texts = [f"kind {i % 2} number {i}" for i in range(40)]
    docs = docs_of(*texts)
    seen = []

    def vectors(some):
        seen.append(len(some))
        return np.array([[float(d[1].text == "0"), float(d[1].text == "1")] for d in some], "f")

    ranking = [i for i in docs if i % 2 == 0] + [i for i in docs if i % 2]
    assert select(ranking, docs, Budget(docs=2), vectors=vectors) == [10, 12]  # the best 20
    asked = NearDuplicates()
    mixed = [10, 12, 14, 11, 13]
    assert select(mixed, docs, Budget(docs=2), asked, vectors) == [10, 11]
    assert docs[11].text in asked
    assert docs[12].text not in asked
    assert seen == [20, 5]
    assert select(mixed, docs, Budget(tokens=9), vectors=vectors) == [10, 11]
    assert select([], docs, Budget(docs=2), vectors=vectors) == []
