"""tok2vec → a vector for each pair of spans → normalised softmax over relations."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc
from thinc.api import Config, HashEmbed, Maxout, Model, chain
from thinc.types import Floats2d, Ragged

from ..models.soft_tagger import TOK2VEC, growing_softmax, with_growing_output
from .candidates import CandidatePairs, candidate_pairs

# Docs, and the pairs of each.
InT = tuple[list[Doc], list[CandidatePairs]]
# Probabilities (n_pairs, L) a doc.
OutT = list[Floats2d]

# What is pooled for a pair: head, tail, and the tokens between them.
PARTS = 3
# The token vectors that are gathered at a time, and the parts that reach beyond them.
GATHERED = 2**14
TYPE_ROWS = 500
TYPE_SEED = 7

DEFAULT_MODEL = Config().from_str(
    """
[model]
@architectures = "spacy-seqmix.PairClassifier.v1"
hidden_size = 128
type_width = 0

[model.reducer]
@layers = "reduce_mean.v1"
"""
    + TOK2VEC
)["model"]


def build_pair_classifier(
    tok2vec: Model[list[Doc], list[Floats2d]],
    reducer: Model[Ragged, Floats2d],
    hidden_size: int = 128,
    type_width: int = 0,
    nO: int | None = None,  # noqa: N803 (spaCy's name)
) -> Model[InT, OutT]:
    """Build the model of ``seqmix_relations``.

    The features of a pair are the reduced vectors of the head's tokens, the tail's, and those
    between them (zeros where there are none), the order of head and tail (1 or -1), and log(1 + d)
    for d tokens between them. A maxout layer and a softmax follow. The output layer can grow.

    tok2vec (Model[list[Doc], list[Floats2d]]): token vectors, (n_tokens, width) a doc.
    reducer (Model[Ragged, Floats2d]): reduces tokens to a vector, such as ``reduce_mean.v1``.
    hidden_size (int): the width of the hidden layer.
    type_width (int): the width of vectors learnt for the types of the two entities; 0 for none.
    nO (int | None): the number of labels L, "no relation" included; set by the component.
    RETURNS (Model[tuple[list[Doc], list[CandidatePairs]], list[Floats2d]]): probabilities,
        (n_pairs, L) a doc.
    """
    softmax, output = growing_softmax(nO)
    hidden: Model[Any, Any] = Maxout(nO=hidden_size, nP=3, normalize=True, dropout=0.0)
    layers: list[Model[Any, Any]] = [tok2vec, reducer, chain(hidden, output)]
    if type_width:
        layers.append(HashEmbed(type_width, TYPE_ROWS, seed=TYPE_SEED))
    model: Model[InT, OutT] = Model("pair_classifier", forward, init=init, layers=layers)
    return with_growing_output(model, tok2vec, softmax, nO)


def init(model: Model[InT, OutT], X: InT | None = None, Y: Any = None) -> None:  # noqa: N803
    """Infer the sizes of layers from a sample, which must have a pair."""
    tok2vec, reducer, classify, *types = model.layers
    for layer in types:
        layer.initialize()
    if X is None:
        tok2vec.initialize()
        return
    docs, doc_pairs = X
    tok2vec.initialize(X=docs)
    tokens = tok2vec.predict(docs)
    table, rows, lengths = _parts(model, tokens, flat_pairs(doc_pairs, [len(doc) for doc in docs]))
    reducer.initialize(X=Ragged(table[model.ops.asarray1i(rows)], model.ops.asarray1i(lengths)))
    vectors, _ = _vectors(model, tokens, doc_pairs, is_train=False)
    classify.initialize(X=vectors)


def forward(
    model: Model[InT, OutT],
    X: InT | list[Doc],  # noqa: N803
    is_train: bool,
) -> tuple[OutT, Callable[[OutT], list[Doc]]]:
    """Compute the probabilities of the pairs of all docs at once.

    Docs alone, which is what ``spacy debug model`` gives, have the pairs of all their entities.
    """
    if isinstance(X, list):
        X = X, [candidate_pairs(doc.ents, len(doc)) for doc in X]  # noqa: N806
    docs, doc_pairs = X
    tok2vec, _, classify, *_ = model.layers
    tokens, backprop_tokens = tok2vec(docs, is_train)
    if not any(map(len, doc_pairs)):
        # The encoder needs a gradient from each component that listens to it.
        width = model.get_ref("output_layer").get_dim("nO")
        return [model.ops.alloc2f(0, width) for _ in docs], lambda _: backprop_tokens(
            [model.ops.alloc2f(*vectors.shape) for vectors in tokens]
        )
    vectors, backprop_vectors = _vectors(model, tokens, doc_pairs, is_train)
    flat, backprop_classify = classify(vectors, is_train)
    cuts = np.cumsum([len(pairs) for pairs in doc_pairs])[:-1].tolist()

    def backprop(d_probs: OutT) -> list[Doc]:
        d_vectors = backprop_classify(model.ops.xp.concatenate(list(d_probs)))
        return backprop_tokens(backprop_vectors(d_vectors))  # type: ignore[no-any-return]

    return model.ops.xp.split(flat, cuts), backprop


def _vectors(
    model: Model[InT, OutT], tokens: list[Floats2d], doc_pairs: list[CandidatePairs], is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], list[Floats2d]]]:
    """The features of each pair, (n_pairs, width), and the backprop to the token vectors."""
    ops: Any = model.ops
    xp = ops.xp
    types = model.layers[3:]
    sizes = [len(vectors) for vectors in tokens]
    pairs = flat_pairs(doc_pairs, sizes)
    table, rows, lengths = _parts(model, tokens, pairs)
    pooled, backprop_pooled = _pooled(model, table, rows, lengths, is_train)
    width = PARTS * pooled.shape[1]
    columns = [pooled.reshape(len(pairs), width), ops.asarray2f(plain_features(pairs))]
    backprop_types = None
    if types:
        kinds = np.concatenate([of_doc.types for of_doc in doc_pairs]).ravel()
        embedded, backprop_types = types[0](ops.asarray(kinds), is_train)
        columns.append(embedded.reshape(len(pairs), -1))
    n_other = sum(array.shape[1] for array in columns[:2])

    def backprop(d_vectors: Any) -> list[Floats2d]:
        d_pooled = ops.as_contig(d_vectors[:, :width].reshape(pooled.shape))
        d_table = backprop_pooled(d_pooled)
        if backprop_types is not None:
            d_types = d_vectors[:, n_other:]
            backprop_types(ops.as_contig(d_types.reshape(2 * len(pairs), -1)))
        ends = np.cumsum(sizes).tolist()
        return [d_table[end - size : end] for end, size in zip(ends, sizes, strict=True)]

    return xp.concatenate(columns, axis=1), backprop


def _pooled(
    model: Model[InT, OutT],
    table: Any,
    rows: NDArray[np.int32],
    lengths: NDArray[np.int32],
    is_train: bool,
) -> tuple[Any, Callable[[Any], Any]]:
    """Reduce the tokens of each part to a vector, and the backprop to the table of all tokens.

    The parts of all pairs hold each token many times, so only some are gathered at a time.
    """
    ops: Any = model.ops
    reducer = model.layers[1]
    ends = np.cumsum(lengths)
    cuts = (np.flatnonzero(np.diff((ends - 1) // GATHERED)) + 1).tolist()
    vectors, steps = [], []
    for first, end in pairwise([0, *cuts, len(lengths)]):
        some = ops.asarray1i(rows[ends[first] - lengths[first] : ends[end - 1]])
        part, backprop = reducer(Ragged(table[some], ops.asarray1i(lengths[first:end])), is_train)
        vectors.append(part)
        steps.append((some, backprop, first, end))

    def backprop_all(d_pooled: Any) -> Any:
        d_table = ops.alloc2f(*table.shape)
        for some, backprop, first, end in steps:
            ops.scatter_add(d_table, some, backprop(d_pooled[first:end]).dataXd)
        return d_table

    return ops.xp.concatenate(vectors), backprop_all


def _parts(model: Model[InT, OutT], tokens: list[Floats2d], pairs: Any) -> tuple[Any, Any, Any]:
    """All token vectors, the rows of the parts of pairs, and the lengths of the parts."""
    ops: Any = model.ops
    filled = [vectors for vectors in tokens if len(vectors)]  # empty docs may have no width
    # Last comes the row of zeros for pairs with nothing between them.
    table = ops.xp.concatenate([*filled, ops.alloc2f(1, filled[0].shape[1])])
    return table, *part_rows(pairs, len(table) - 1)


def flat_pairs(doc_pairs: Sequence[CandidatePairs], sizes: Sequence[int]) -> NDArray[np.int32]:
    """The pairs of all docs, shape (n, 4), with tokens numbered through all docs."""
    firsts = np.cumsum([0, *sizes])[:-1]
    moved = [of_doc.pairs + first for of_doc, first in zip(doc_pairs, firsts, strict=True)]
    flat: NDArray[np.int32] = np.concatenate(moved).astype("int32")
    return flat


def part_rows(
    pairs: NDArray[np.int32], n_tokens: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The rows of the tokens of head, of tail and between them, pair by pair.

    RETURNS (tuple): numbers of tokens, of all parts in a row (``n_tokens`` itself where nothing is
        between), and the length of each part, shape (3 n_pairs,).
    """
    first, last = between(pairs)
    empty = last <= first
    first, last = np.where(empty, n_tokens, first), np.where(empty, n_tokens + 1, last)
    starts = np.stack([pairs[:, 0], pairs[:, 2], first], axis=1).ravel()
    lengths = np.stack([pairs[:, 1], pairs[:, 3], last], axis=1).ravel() - starts
    offsets = starts - (np.cumsum(lengths) - lengths)
    rows = np.arange(lengths.sum()) + np.repeat(offsets, lengths)
    return rows.astype("int32"), lengths.astype("int32")


def plain_features(pairs: NDArray[np.int32]) -> NDArray[np.float32]:
    """Whether the head comes first (1 or -1), and log(1 + tokens between); shape (n_pairs, 2)."""
    first, last = between(pairs)
    order = np.where(pairs[:, 0] <= pairs[:, 2], 1.0, -1.0)
    distance = np.log1p(np.maximum(last - first, 0))
    return np.stack([order, distance], axis=1).astype("float32")


def between(pairs: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Start and end of the tokens between head and tail; overlap puts the end before the start."""
    return np.minimum(pairs[:, 1], pairs[:, 3]), np.maximum(pairs[:, 0], pairs[:, 2])
