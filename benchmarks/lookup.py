"""How much faster the token table looks up than a plain numpy distance, one token at a time.

    python benchmarks/lookup.py

Prints look-ups a second of both, each the best of three, and their ratio (the target is 25), on
random vectors the size of a corpus vocabulary. Both must find the same words.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from spacy_seqmix.mixing.token_table import Query, TokenTable
from spacy_seqmix.types import Floats2d

N_WORDS, WIDTH, WINDOW = 20_000, 384, 5
N_QUERIES = 400
N_PLAIN = 10  # the plain search is slow: its rate is taken from this many queries
REPEATS = 3
TARGET = 25.0


def plain_search(words: list[str], vectors: Floats2d, vector: Floats2d, own: frozenset[str]) -> str:
    """The nearest word that no parent has, by the squared distance to every word (Eq. 7)."""
    distances = ((vectors - vector) ** 2).sum(axis=1)
    order: list[int] = np.argsort(distances).tolist()
    return next(words[i] for i in order if words[i] not in own)


def main() -> None:
    """Time both searches over the same vectors and print the ratio of their rates."""
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(N_WORDS)]
    vectors = rng.normal(size=(N_WORDS, WIDTH)).astype("float32")
    queries = []
    for _ in range(N_QUERIES):
        left, right = rng.integers(N_WORDS, size=(2, WINDOW))
        lam = np.float32(rng.beta(8, 8))
        mixed = lam * vectors[left] + (1 - lam) * vectors[right]
        queries.append(Query(mixed, frozenset(words[i] for i in (*left, *right))))

    table = TokenTable(words, vectors, "squared")
    table.nearest(queries[:8])  # builds what is built once
    rate = plain_rate = 0.0
    for _ in range(REPEATS):  # in turn, so that other work on the machine slows both
        began = perf_counter()
        found = table.nearest(queries)
        rate = max(rate, N_QUERIES * WINDOW / (perf_counter() - began))
        began = perf_counter()
        plain = [
            [plain_search(words, vectors, vector, q.own) for vector in q.vectors]
            for q in queries[:N_PLAIN]
        ]
        plain_rate = max(plain_rate, N_PLAIN * WINDOW / (perf_counter() - began))

    same = found[:N_PLAIN] == plain
    print(f"{N_WORDS} words of {WIDTH} numbers; {N_QUERIES} windows of {WINDOW} tokens")
    print(f"one product for all: {rate:8.0f} tokens/s")
    print(f"plain distance:      {plain_rate:8.0f} tokens/s")
    print(f"ratio:               {rate / plain_rate:8.1f} (target: at least {TARGET:.0f})")
    print(f"same words:          {same}")
    if not same:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
