"""The look-up gives the words that a plain search, token by token, gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_seqmix.mixing import token_table
from spacy_seqmix.mixing.token_table import (
    Query,
    TokenTable,
    by_frequency,
    same_script,
    word_shape,
)

WORDS = [
    "London", "london", "LONDON", "Paris", "paris", "12", "7", "12-34", "-", "the", "The",
    "McCoy", "rain", "Rain", "Oslo", "x", "Minsk", "41",
]  # fmt: skip


def vectors_of(n, width=6, seed=0):
    return np.random.default_rng(seed).normal(size=(n, width)).astype("float32")


def distance(metric, table, vector, key):
    """To be minimised; in double precision."""
    vector, key = vector.astype("float64"), key.astype("float64")
    if metric == "squared":
        return ((vector - key) ** 2).sum()
    a, b = vector - table.center, key - table.center
    return -(a @ b) / (np.linalg.norm(a) * np.linalg.norm(b))


def brute_force(table, query):
    """One token after the other, one word after the other."""
    keys = {i: v for i, v in enumerate(table.vectors)}
    if query.held_out is not None:
        keys.update(zip(query.held_out[0].tolist(), query.held_out[1], strict=True))
    own = {word.lower() for word in query.own}
    allowed = [
        i
        for i, word in enumerate(table.words)
        if word.lower() not in own and not np.isnan(keys[i]).any()
    ]
    if not allowed:
        return []
    found = []
    for position, vector in enumerate(query.vectors):
        fitting = allowed
        if query.shapes:
            wanted = query.shapes[position]
            fitting = [i for i in allowed if word_shape(table.words[i]) in wanted] or allowed
        best = min(fitting, key=lambda i: distance(table.metric, table, vector, keys[i]))
        found.append(table.words[best])
    return found


def random_query(rng, n_words, size):
    shapes = ("Xx", "x", "d", "X", "d-d", "-", "#")
    held = rng.choice(n_words, size=4, replace=False)
    fresh = rng.normal(size=(4, 6)).astype("float32")
    fresh[0] = np.nan
    return Query(
        vectors=rng.normal(size=(size, 6)).astype("float32"),
        own=frozenset(str(w) for w in rng.choice([*WORDS, "unknown"], size=3)),
        shapes=tuple(tuple(rng.choice(shapes, 2)) for _ in range(size))
        if rng.random() < 0.7
        else (),
        held_out=(held, fresh) if rng.random() < 0.7 else None,
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), metric=st.sampled_from(["squared", "cosine"]))
def test_nearest_equals_brute_force(seed, metric):
    rng = np.random.default_rng(seed)
    table = TokenTable(WORDS, vectors_of(len(WORDS), seed=seed), metric)
    queries = [random_query(rng, len(WORDS), int(rng.integers(1, 6))) for _ in range(5)]
    assert table.nearest(queries) == [brute_force(table, query) for query in queries]


@pytest.mark.parametrize("metric", ["squared", "cosine"])
def test_nearest_blocks_of_any_size_give_the_same(monkeypatch, metric):
    rng = np.random.default_rng(3)
    table = TokenTable(WORDS, vectors_of(len(WORDS)), metric)
    queries = [random_query(rng, len(WORDS), 3) for _ in range(20)]
    whole = table.nearest(queries)
    for block in (1, 3 * len(WORDS), 21 * len(WORDS)):
        monkeypatch.setattr(token_table, "BLOCK", block)
        assert table.nearest(queries) == whole


def test_nearest_finds_the_word_itself_unless_a_parent_has_it():
    table = TokenTable(WORDS, vectors_of(len(WORDS)), "squared")
    query = Query(table.vectors[[0, 3]], own=frozenset())
    assert table.nearest([query]) == [["London", "Paris"]]
    without = table.nearest([Query(table.vectors[[0, 3]], own=frozenset({"LoNdOn"}))])[0]
    assert not {"London", "london", "LONDON"} & set(without)
    assert without[1] == "Paris"


def test_nearest_keeps_shapes_where_there_are_any():
    table = TokenTable(WORDS, vectors_of(len(WORDS)), "cosine")
    vectors = table.vectors[[0, 0]]
    query = Query(vectors, own=frozenset(), shapes=(("d",), ("?!",)))
    found = table.nearest([query])[0]
    assert found[0] in ("12", "7", "41")
    assert found[1] == "London"  # no word looks like that, so any will do


def test_nearest_in_a_table_without_capitals_keeps_the_shape_without_case():
    words = ["...", "london", "12", "o'hare"]
    table = TokenTable(words, vectors_of(len(words)), "squared")
    query = Query(table.vectors[[0, 0, 1]], frozenset(), shapes=(("Xx",), ("X'Xx",), ("d-d", "d")))
    assert table.nearest([query]) == [["london", "o'hare", "12"]]


def test_nearest_never_finds_a_word_whose_only_sentences_are_the_parents():
    table = TokenTable(WORDS, vectors_of(len(WORDS)), "cosine")
    gone = np.full((1, 6), np.nan, dtype="float32")
    query = Query(table.vectors[[5]], frozenset(), held_out=(np.array([5]), gone))
    assert table.nearest([query])[0] != ["12"]


@pytest.mark.parametrize("metric", ["squared", "cosine"])
def test_nearest_with_nothing_to_offer(metric):
    empty = TokenTable([], np.zeros((0, 6), dtype="float32"), metric)
    query = Query(vectors_of(2), frozenset({"A"}))
    assert empty.nearest([query]) == [[]]
    assert empty.nearest([]) == []
    only = TokenTable(["a"], vectors_of(1), metric)
    assert only.nearest([query]) == [[]]


def test_table_is_cased_if_any_word_has_a_capital():
    assert TokenTable(["a", "B"], vectors_of(2)).cased
    assert not TokenTable(["a", "b", "1"], vectors_of(3)).cased


@pytest.mark.parametrize(
    ("word", "shape"),
    [
        ("London", "Xx"), ("NATO", "X"), ("12-34", "d-d"), ("McCoy", "XxXx"), ("'s", "'x"),
        ("...", "."), ("x", "x"), ("U.N.", "X.X."), ("", ""), ("Über", "Xx"), ("١٢", "d"),
    ],
)  # fmt: skip
def test_word_shape(word, shape):
    assert word_shape(word) == shape


def test_by_frequency_does_not_depend_on_the_order():
    words = ["b", "a", "c", "a", "b", "d"]
    assert by_frequency(words) == by_frequency(words[::-1]) == ["a", "b", "c", "d"]


def test_same_script():
    assert same_script(["Ab", "aж", ""], frozenset("abc")) == [True, False, True]


@pytest.mark.parametrize("metric", ["squared", "cosine"])
def test_nearest_of_equal_vectors_is_the_first(metric):
    """Rounding of products, which differs by place and by number of threads, decides nothing."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(701, 384)).astype("float32")
    words = [f"w{i}" for i in range(701)]
    table = TokenTable([*words, *(f"{w}-again" for w in words)], np.tile(vectors, (2, 1)), metric)
    for n in (1, 2, 5, 33):
        asked = (vectors[:n] + 0.1 * rng.normal(size=(n, 384))).astype("float32")
        queries = [Query(asked, frozenset())]
        assert table.nearest(queries) == [words[:n]]
        shapes = tuple((word_shape("w1"), word_shape("w1-again")) for _ in range(n))
        assert table.nearest([Query(asked, frozenset(), shapes)]) == [words[:n]]
