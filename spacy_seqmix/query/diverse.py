"""Docs that are unlike each other, by k-means over vectors."""

import numpy as np

from ..types import Floats2d


def one_per_cluster(vectors: Floats2d, n: int, seed: int) -> list[int]:
    """The first doc of each of n clusters.

    vectors (Floats2d): shape (n_docs, width), the most wanted docs first. Their length does not
        count, only their direction.
    n (int): the number of docs.
    seed (int): the seed of k-means.
    RETURNS (list[int]): n numbers of docs in their order, or all where there are no more. Where
        fewer vectors differ, the most wanted of the other docs fill up.
    """
    if n >= len(vectors):
        return list(range(len(vectors)))
    rows = normed(vectors)
    n_clusters = min(n, len(np.unique(rows, axis=0)))
    clusters = _k_means(rows, n_clusters, seed)
    firsts = np.unique(clusters, return_index=True)[1].tolist()
    others = [i for i in range(len(rows)) if i not in set(firsts)]
    return sorted([*firsts, *others[: n - len(firsts)]])


def normed(vectors: Floats2d) -> Floats2d:
    """Vectors of length 1; those of zeros stay as they are."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1.0, lengths), dtype="float32")


def _k_means(rows: Floats2d, n_clusters: int, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans  # slow to import

    clusters = KMeans(n_clusters, n_init=1, random_state=seed).fit_predict(rows)
    return np.asarray(clusters)
