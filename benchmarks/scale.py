"""Score pools of growing size, and compare with the pipeline alone over the same texts.

    python benchmarks/scale.py MODEL TEXTS.spacy --sizes 10000,100000,1000000 [--active]

Each text is a random sentence of TEXTS with a number behind it, so that no two are equal. Of each
size, one process scores all texts with `spacy seqmix score`, and another one runs `nlp.pipe` over
them and keeps nothing. The table has microseconds a text of each, the ratio, and the most memory of
the first process. A third one chooses 100 of the texts by these scores, as `spacy seqmix query
--scores` does. Each has one thread. Starting Python and loading the model count for neither;
reading the texts counts for both, and finding and writing for the scores. With --active, the first
process runs a round of `spacy seqmix active` instead, with the CNN of configs/cnn_crf.cfg, on
.spacy files with labels, and there is no third one. The time to open the pool, which a run does
once, is printed separately.
"""

from __future__ import annotations

import json
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, TypeVar

import spacy
import typer
from spacy.tokens import Doc, DocBin
from wasabi.tables import table

from spacy_seqmix.active.journal import RoundRecord
from spacy_seqmix.active.loop import ActiveRun
from spacy_seqmix.annotate.query import query_pool
from spacy_seqmix.config import load_config
from spacy_seqmix.query.by_name import policy_of
from spacy_seqmix.query.selection import Budget
from spacy_seqmix.score.by_key import read_scores
from spacy_seqmix.score.run import score_pool
from spacy_seqmix.score.scorer import Scorer, Wanted

CONFIG = Path(__file__).parents[1] / "configs" / "default.cfg"
FILES = 10  # the texts of a pool are divided into
SCORES = "scores"  # the folder beside them
N_DEV = N_ASKED = 100
T = TypeVar("T")


def main(
    model: Annotated[str, typer.Argument(help="Trained pipeline")],
    corpus: Annotated[Path, typer.Argument(metavar="TEXTS", help="Sentences (.spacy)")],
    sizes: Annotated[str, typer.Option(help="Texts of each pool")] = "10000,100000,1000000",
    policy: Annotated[str, typer.Option(help="What scores them")] = "TagCount",
    seed: Annotated[int, typer.Option(help="Of the choice of sentences")] = 0,
    active: Annotated[bool, typer.Option("--active", help="Score in a round of active")] = False,
    work: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Print the table."""
    if work is not None:  # a process that is measured
        measured = {"pipe": pipe, "score": score, "query": query, "active": round_of_active}[work]
        seconds = measured(model, corpus, policy)
        print(json.dumps([seconds, most_memory()]))
        return
    docs = list(DocBin().from_disk(corpus).get_docs(spacy.blank("xx").vocab))
    kinds = ("pipe", "active") if active else ("pipe", "score", "query")
    rows = []
    for size in map(int, sizes.split(",")):
        with TemporaryDirectory() as name:
            write_texts(Path(name), [doc.text for doc in docs], size, seed)
            if active:
                write_pool(Path(name), docs, size, seed)
            found = {kind: run(model, Path(name), policy, kind) for kind in kinds}
        (alone, _), *others = found.values()
        row = [f"{size:,}", f"{alone / size * 1e6:.0f}"]
        for seconds, peak in others:
            row += [f"{seconds / size * 1e6:.0f}", f"{seconds / alone:.2f}", f"{peak:,.0f}"]
        rows.append(row)
        print(", ".join(f"{kind} {seconds:.1f} s" for kind, (seconds, _) in found.items()))
    header = ["Texts", "nlp.pipe, µs a text"]
    for kind in kinds[1:]:
        header += [f"{kind}, µs a text", "Ratio", "Memory, MB"]
    print(f"\n{date.today()}, {platform.machine()}, {policy}, seed {seed}")
    print(table(rows, header=header, divider=True, aligns=("r",) * len(header)))


def write_texts(folder: Path, sentences: list[str], size: int, seed: int) -> None:
    """Write a pool in several files."""
    for part, drawn in enumerate(draw(sentences, size, seed)):
        with (folder / f"{part:02d}.txt").open("w", encoding="utf8") as file:
            for number, sentence in drawn:
                file.write(" ".join([*sentence.split(), f"{number}\n"]))


def write_pool(folder: Path, docs: list[Doc], size: int, seed: int) -> None:
    """Write the same texts with their entities, and a few docs to evaluate on."""
    for part, drawn in enumerate(draw(docs, size, seed)):
        labelled = DocBin()
        for number, doc in drawn:
            tags = [f"{token.ent_iob_}-{token.ent_type_}".rstrip("-") for token in doc]
            words = [*(token.text for token in doc), str(number)]
            labelled.add(Doc(doc.vocab, words=words, ents=[*tags, "O"]))
        labelled.to_disk(folder / f"pool-{part:02d}.spacy")
    DocBin(docs=docs[:N_DEV]).to_disk(folder / "dev.spacy")


def draw(items: list[T], size: int, seed: int) -> Iterator[list[tuple[int, T]]]:
    """Items of each file of a pool, drawn at random, with their numbers in the pool."""
    rng = random.Random(seed)
    for part in range(FILES):
        numbers = range(part * size // FILES, (part + 1) * size // FILES)
        yield [(number, rng.choice(items)) for number in numbers]


def run(model: str, folder: Path, policy: str, kind: str) -> tuple[float, float]:
    """Measure in a process of its own. RETURNS (tuple): seconds, and megabytes."""
    command = [sys.executable, __file__, model, str(folder), "--policy", policy, "--work", kind]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=env)
    for line in done.stdout.splitlines()[:-1]:
        print(line)
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak


def most_memory() -> float:
    """The most megabytes that this process has taken.

    Not ru_maxrss: there, a process begins with the peak of the one that started it.
    """
    status = Path("/proc/self/status").read_text("ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def pipe(model: str, folder: Path, policy: str) -> float:
    """The seconds of the pipeline alone."""
    nlp = spacy.load(model)

    def every() -> None:
        for path in sorted(folder.glob("*.txt")):
            with path.open(encoding="utf8") as file:
                for _ in nlp.pipe(line.rstrip("\n") for line in file):
                    pass

    return timed(every)


def score(model: str, folder: Path, policy: str) -> float:
    """The seconds of the scores, with reading and writing."""
    wanted = Wanted(model, policy=policy)
    loading = timed(lambda: Scorer(wanted))  # the first time also imports
    loading = timed(lambda: Scorer(wanted))
    seconds = timed(lambda: score_pool(wanted, [folder], folder / SCORES, progress=False))
    return seconds - loading


def query(model: str, folder: Path, policy: str) -> float:
    """The seconds in which texts are chosen by these scores."""
    nlp, scores = spacy.load(model), folder / SCORES

    def choose() -> None:
        given = {"scores": read_scores(scores), "outside": scores}
        query_pool(nlp, [folder], policy_of(policy), Budget(N_ASKED), **given)

    return timed(choose)


def round_of_active(_model: str, folder: Path, policy: str) -> float:
    """The seconds in which a round scores the pool and chooses, after a short training."""
    values = {
        "active.extends": "cnn_crf.cfg",
        "active.policy.@misc": f"spacy-seqmix.{policy}.v1",
        "active.n_seed": 40,
        "active.n_query": 40,
        "active.n_rounds": 1,
        "active.max_steps": 20,
        "paths.pool": str(folder / "pool-*.spacy"),
        "paths.dev": str(folder / "dev.spacy"),
    }
    records: list[RoundRecord] = []
    began = time.perf_counter()
    active = ActiveRun(load_config(CONFIG, values), folder / "run", progress=False)
    print(f"opening the pool: {time.perf_counter() - began:.1f} s")
    active.run(on_round=records.append)
    return records[-1].seconds.query


def timed(function: Callable[[], object]) -> float:
    """The seconds that a function takes."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


if __name__ == "__main__":
    typer.run(main)
