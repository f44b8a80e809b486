"""What benchmarks share that train a shipped config on a slice of a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import spacy
from spacy.cli.train import train
from spacy.language import Language

from spacy_seqmix.docbin import read_docs, write_docs

CONFIGS = Path(__file__).parent.parent / "configs"
PROGRESS_DOCS = 50


def train_slice(name: str, overrides: dict[str, Any], path: Path, n_docs: int) -> Language:
    """Train a config on docs drawn by its seed, and return the last model.

    path (Path): .spacy file of labelled docs.
    n_docs (int): how many of them; 0 for all.
    """
    docs = read_docs(path, spacy.blank("en"))
    order = np.random.default_rng(overrides["system.seed"]).permutation(len(docs))
    with TemporaryDirectory() as folder:
        part, few, out = (Path(folder, name) for name in ("train.spacy", "few.spacy", "out"))
        write_docs([docs[int(i)] for i in order[: n_docs or None]], part)
        # The last model is taken: spaCy's own evaluation is only to be short.
        write_docs([docs[int(i)] for i in order[:PROGRESS_DOCS]], few)
        overrides = {**overrides, "paths.train": str(part), "paths.dev": str(few)}
        train(CONFIGS / f"{name}.cfg", out, overrides=overrides)
        return spacy.load(out / "model-last")


def spread(values: Sequence[float], sign: str = "") -> str:
    """Mean and sample deviation."""
    tail = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
    return f"{mean(values):{sign}.1f}{tail}"
