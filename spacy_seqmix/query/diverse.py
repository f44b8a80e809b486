"""Docs that are unlike each other, by k-means over vectors, and vectors of docs."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Model

from ..annotation.lazy_docs import DocsInOrder
from ..types import Floats2d
from .probabilities import annotated_batches

# So many docs are clustered; of a larger pool, a random sample.
SAMPLE = 5000
# The best of so many runs of k-means counts.
STARTS = 3
# The vectors of texts by their character n-grams: hashed n-grams, and dimensions that are kept.
FEATURES, DIMENSIONS = 2**16, 64


def diverse_sample(
    docs: Sequence[Doc],
    n: int,
    rng: np.random.Generator,
    vectors: Callable[[Sequence[Doc]], Floats2d] | None = None,
) -> list[int]:
    """Choose docs that stand for all, where no model can say which help most: from each of n
    clusters the one nearest to the centre.

    docs (Sequence[Doc]): the pool, without docs of whitespace alone.
    n (int): the number of docs.
    rng (np.random.Generator): draws the docs that are clustered, at most 5000 or 10n, the seed of
        k-means, and the order of the docs chosen.
    vectors (Callable | None): docs to vectors, for example ``encoder_vectors``; by default
        ``text_vectors``: an encoder that was not trained tells texts apart at random.
    RETURNS (list[int]): n numbers of docs in random order, or all where there are no more.
    """
    some: list[int] = rng.permutation(len(docs))[: max(SAMPLE, 10 * n)].tolist()
    if not 0 < n < len(docs):
        return some[:n]
    chosen = docs.all_at(some) if isinstance(docs, DocsInOrder) else [docs[i] for i in some]
    rows = normed((vectors or text_vectors)(chosen))
    clusters, distances = _k_means(rows, n, int(rng.integers(2**31)))
    nearest = {int(clusters[i]): i for i in np.argsort(-distances, kind="stable").tolist()}
    rest = [i for i in range(len(some)) if i not in set(nearest.values())]
    picked = sorted([*nearest.values(), *rest[: n - len(nearest)]])  # in the order of the draw
    return [some[i] for i in picked]


def one_per_cluster(vectors: Floats2d, n: int, seed: int) -> list[int]:
    """The first doc of each of n clusters.

    vectors (Floats2d): shape (n_docs, width), the most wanted docs first. Their length does not
        count, only their direction.
    n (int): the number of docs.
    seed (int): the seed of k-means.
    RETURNS (list[int]): n numbers of docs in their order, or all where there are no more. Where
        fewer vectors differ, the most wanted of the other docs fill up.
    """
    if not 0 < n < len(vectors):
        return list(range(min(n, len(vectors))))
    clusters, _ = _k_means(normed(vectors), n, seed)
    firsts = np.unique(clusters, return_index=True)[1].tolist()
    others = [i for i in range(len(vectors)) if i not in set(firsts)]
    return sorted([*firsts, *others[: n - len(firsts)]])


def encoder_vectors(
    nlp: Language, component: str | None, docs: Sequence[Doc], batch_size: int = 128
) -> Floats2d | None:
    """The mean of the token vectors on which a component decides.

    nlp (Language): a trained pipeline.
    component (str | None): the component; None: the last one that has token vectors.
    docs (Sequence[Doc]): docs, which are not changed. They keep their tokens.
    RETURNS (Floats2d | None): shape (n_docs, width); zeros for docs without tokens. None where no
        component has token vectors.
    """
    named = reversed(nlp.pipeline) if component is None else [(component, nlp.get_pipe(component))]
    encoders = [(name, _encoder(proc)) for name, proc in named]
    name, encoder = next((pair for pair in encoders if pair[1] is not None), ("", None))
    if encoder is None:
        return None
    means: dict[int, Any] = {}
    to_numpy: Any = encoder.ops.to_numpy
    for numbers, batch in annotated_batches(nlp, name, docs, batch_size):
        kept = [(i, doc) for i, doc in zip(numbers, batch, strict=True) if len(doc)]
        found = encoder.predict([doc for _, doc in kept]) if kept else []
        if not isinstance(found, list):  # of parsers: the rows of all docs
            found = np.split(found, np.cumsum([len(doc) for _, doc in kept])[:-1])
        means |= {i: to_numpy(v).mean(axis=0) for (i, _), v in zip(kept, found, strict=True)}
    width = len(next(iter(means.values()))) if means else 0
    rows = [means.get(i, np.zeros(width)) for i in range(len(docs))]
    return np.array(rows, dtype="float32").reshape(len(docs), width)


def doc_vectors(nlp: Language, component: str | None, docs: Sequence[Doc]) -> Floats2d:
    """By what docs are told apart: what a component decides on, else their characters."""
    found = encoder_vectors(nlp, component, docs)
    return text_vectors(docs) if found is None else found


def text_vectors(docs: Sequence[Doc]) -> Floats2d:
    """Vectors of texts by their characters, for any script: the singular vectors of the tf-idf
    weights of hashed n-grams of two to four characters."""
    from sklearn.decomposition import TruncatedSVD  # slow to import
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.pipeline import make_pipeline

    steps = make_pipeline(
        HashingVectorizer(
            analyzer="char_wb", ngram_range=(2, 4), n_features=FEATURES, alternate_sign=False
        ),
        TfidfTransformer(),
        TruncatedSVD(DIMENSIONS, random_state=0),
    )
    return np.asarray(steps.fit_transform([doc.text for doc in docs]), dtype="float32")


def text_clusters(docs: Sequence[Doc], n: int) -> list[int]:
    """Divide docs into at most n clusters by their characters.

    RETURNS (list[int]): the cluster of each doc.
    """
    if len(docs) <= n:
        return list(range(len(docs)))
    clusters, _ = _k_means(normed(text_vectors(docs)), n, 0)
    return [int(one) for one in clusters]


def normed(vectors: Floats2d) -> Floats2d:
    """Vectors of length 1; those of zeros stay as they are."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1.0, lengths), dtype="float32")


def _encoder(proc: Any) -> Model[Any, Any] | None:
    model = getattr(proc, "model", None)
    return model.maybe_get_ref("tok2vec") if isinstance(model, Model) else None


def _k_means(rows: Floats2d, n: int, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The cluster of each row, of at most n, and its distance from the cluster's centre."""
    from sklearn.cluster import KMeans  # slow to import

    n_clusters = min(n, len(np.unique(rows, axis=0)))
    means = KMeans(n_clusters, n_init=STARTS, random_state=seed)
    distances = means.fit_transform(rows)
    return np.asarray(means.labels_), np.asarray(distances.min(axis=1))
