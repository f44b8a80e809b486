"""What benchmarks share that train a shipped config on a slice of a corpus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import spacy
import srsly
import typer
from scipy.stats import ttest_rel
from spacy.cli.train import train
from spacy.language import Language
from spacy.training import Example
from spacy.util import load_config
from thinc.api import Config
from wasabi.markdown import MarkdownRenderer

from spacy_seqmix.atomic import replacing
from spacy_seqmix.docbin import read_docs, write_docs
from spacy_seqmix.query.probabilities import copy_tokens

CONFIGS = Path(__file__).parent.parent / "configs"
PROGRESS_DOCS = 50

Job = Callable[[], Any]


def shipped(name: str, overrides: dict[str, Any]) -> Config:
    """A shipped config."""
    return load_config(CONFIGS / f"{name}.cfg", overrides=overrides)


def train_slice(config: Config, path: Path, n_docs: int) -> Language:
    """Train a config on docs drawn by its seed, and return the last model.

    path (Path): .spacy file of labelled docs.
    n_docs (int): how many of them; 0 for all.
    """
    docs = read_docs(path, spacy.blank("en"))
    order = np.random.default_rng(config["system"]["seed"]).permutation(len(docs))
    with TemporaryDirectory() as folder:
        part, few, out = (Path(folder, name) for name in ("train.spacy", "few.spacy", "out"))
        write_docs([docs[int(i)] for i in order[: n_docs or None]], part)
        # The last model is taken: spaCy's own evaluation is only to be short.
        write_docs([docs[int(i)] for i in order[:PROGRESS_DOCS]], few)
        config.to_disk(Path(folder, "config.cfg"))
        overrides = {"paths.train": str(part), "paths.dev": str(few)}
        train(Path(folder, "config.cfg"), out, overrides=overrides)
        return spacy.load(out / "model-last")


def predicted(nlp: Language, path: Path) -> list[Example]:
    """Docs of a file as a pipeline annotates them, their tokens given."""
    gold = sorted(read_docs(path, nlp), key=len)
    found = nlp.pipe((copy_tokens(doc, nlp) for doc in gold), batch_size=64)
    return [Example(doc, reference) for doc, reference in zip(found, gold, strict=True)]


def claim(out: Path, inputs: dict[str, str]) -> None:
    """Keep a folder for runs of one corpus and encoder."""
    path = out / "inputs.json"
    if path.exists() and srsly.read_json(path) != inputs:
        raise typer.BadParameter(f"{out} has runs of {srsly.read_json(path)}: take another folder")
    with replacing(path) as temporary:
        srsly.write_json(temporary, inputs)


def finish(jobs: dict[Path, Job], n_process: int = 1) -> None:
    """Do those jobs whose file is not there yet; what each returns is written to it as JSON.

    n_process (int): how many processes. With more than one a job must be picklable.
    """
    lacking = {path: job for path, job in jobs.items() if not path.exists()}
    if n_process == 1:
        for path, job in lacking.items():
            do(path, job)
        return
    # Fresh processes: torch's threads do not survive a fork.
    with ProcessPoolExecutor(n_process, mp_context=get_context("spawn")) as pool:
        for future in [pool.submit(do, path, job) for path, job in lacking.items()]:
            future.result()


def do(path: Path, job: Job) -> None:
    """Write what a job returns as JSON."""
    with replacing(path) as temporary:
        srsly.write_json(temporary, job())


def publish(page: MarkdownRenderer, path: Path) -> None:
    """Write a page of tables, and print it."""
    with replacing(path) as temporary:
        temporary.write_text(page.text + "\n", encoding="utf8")
    print(page.text)


def spread(values: Sequence[float], sign: str = "") -> str:
    """Mean and sample deviation."""
    tail = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
    return f"{mean(values):{sign}.1f}{tail}"


def paired(values: Sequence[float], baseline: Sequence[float]) -> tuple[str, str]:
    """Differences of values of equal seeds, mean and sample deviation, and p of a paired t-test."""
    differences = [a - b for a, b in zip(values, baseline, strict=True)]
    if len(differences) == 1 or not any(differences):
        return spread(differences, "+"), "-"
    return spread(differences, "+"), f"{ttest_rel(values, baseline).pvalue:.2g}"
