"""How fast the discriminator filters candidates, and scores plain texts, on one thread.

    python benchmarks/lm_filter.py --model LM --encoder ENCODER [--texts DOCS.spacy]

Mixes labelled docs as the shipped configs do, and prints what the candidates have in common: the
tokens with which they begin alike, and those after the windows that alone would reject them, which
is the most that could be left out by stopping early. Then the processor time of three ways of
scoring, interleaved, the best of some runs, over the candidates (as the filter does) and over the
unmixed texts (as the component does): one text after another, batches with padding, packed batches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from itertools import chain
from pathlib import Path
from time import process_time
from typing import Annotated

import numpy as np
import spacy
import torch
import typer
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from spacy_seqmix.convert.brackets import read_brackets
from spacy_seqmix.lm.causal_lm import CausalLM
from spacy_seqmix.lm.discriminator import PerplexityDiscriminator
from spacy_seqmix.lm.settings import LMSettings
from spacy_seqmix.lm.spans import passage_of
from spacy_seqmix.mixing.mix import mix_docs
from spacy_seqmix.mixing.mixer import Mixer
from spacy_seqmix.mixing.realise import NearestToken
from spacy_seqmix.mixing.strategies import make_sub_sequence
from spacy_seqmix.mixing.vectors import make_word_table
from spacy_seqmix.types import Verdict

MINI = Path(__file__).parents[1] / "assets" / "mini"
WAYS = {"one text after another": (1, False), "padded": (32, False), "packed": (32, True)}
MAX_PERPLEXITY, MAX_WINDOW_NATS = 500.0, 15.0  # of the shipped configs


def main(
    model: Annotated[str, typer.Option(help="Causal LM")] = "gpt2",
    encoder: Annotated[str, typer.Option(help="Encoder of the word table")] = "bert-base-cased",
    texts: Annotated[Path | None, typer.Option(help=".spacy file; by default mini corpus")] = None,
    docs: Annotated[int, typer.Option(help="Docs to mix")] = 300,
    limit: Annotated[int, typer.Option(help="Candidates, and unmixed texts, to score")] = 64,
    repeats: Annotated[int, typer.Option(help="Runs of each way, in turn")] = 3,
    seed: Annotated[int, typer.Option(help="Of docs and candidates")] = 0,
) -> None:
    """Count and measure."""
    torch.set_num_threads(1)
    nlp = spacy.blank("en")
    every = [doc for doc in _read(texts, nlp) if len(doc)]
    rng = np.random.default_rng(seed)
    some = [every[i] for i in rng.permutation(len(every))[:docs]]
    realiser = NearestToken(make_word_table(encoder), same_shape=True)
    mixer = Mixer(make_sub_sequence(), realiser, rate=limit / len(some))
    candidates, _ = mix_docs(some, mixer, rng, nlp)
    lm = CausalLM.load(model)
    print(f"{date.today()}, torch {torch.__version__}, one thread, seed {seed}, {model}")
    for dtype in ("auto", "float32"):
        print(f"\n{len(candidates)} candidates, {dtype} ({lm.precision(dtype)})")
        verdicts = _measure(lm, candidates, dtype, repeats)
        if dtype == "float32":
            _count(lm, candidates, verdicts)
    plain = some[:limit]
    print(f"\n{len(plain)} texts, float32")
    _measure(lm, plain, "float32", repeats)


def _read(path: Path | None, nlp: Language) -> Sequence[Doc]:
    if path is None:
        return list(read_brackets(MINI / "pool.txt", nlp))
    return list(DocBin().from_disk(path).get_docs(nlp.vocab))


def _count(lm: CausalLM, docs: Sequence[Doc], verdicts: Sequence[Verdict]) -> None:
    """Print what the structure of candidates would save."""
    passages = [passage_of(doc) for doc in docs]
    scores = lm.token_nlls([passage.text for passage in passages], dtype="float32")
    ids = lm.tokenizer([passage.text for passage in passages], add_special_tokens=False)
    rows = ids["input_ids"]
    n_tokens = sum(map(len, rows))
    beginnings = {tuple(row[:n]) for row in rows for n in range(1, len(row) + 1)}
    after = sum(
        int((score.offsets[:, 0] >= passage.window.end).sum())
        for score, passage, verdict in zip(scores, passages, verdicts, strict=True)
        if passage.window is not None
        and verdict.window_nats is not None
        and verdict.window_nats > MAX_WINDOW_NATS
    )
    kept = sum(verdict.keep for verdict in verdicts)
    print(f"{kept} kept; {n_tokens} tokens, {len(beginnings) / n_tokens:.1%} of them if shared")
    print(f"beginnings are read once; {after / n_tokens:.1%} follow a window that is rejected")


def _measure(lm: CausalLM, docs: Sequence[Doc], dtype: str, repeats: int) -> list[Verdict]:
    """Print the time of each way, and whether all decide alike; return the verdicts of the last."""
    filters = {name: _discriminator(lm, size, dtype) for name, (size, _) in WAYS.items()}
    best = dict.fromkeys(WAYS, float("inf"))
    verdicts: dict[str, list[Verdict]] = {}
    for _ in range(repeats):
        for name, (size, packs) in WAYS.items():
            vars(lm)["_packs"] = packs
            groups = [[doc] for doc in docs] if size == 1 else [docs]
            spent, verdicts[name] = _timed(filters[name], groups)
            best[name] = min(best[name], spent)
    first, last = next(iter(WAYS)), list(WAYS)[-1]
    for name, spent in best.items():
        rate, ratio = len(docs) / spent, best[first] / spent
        print(f"{name:24} {spent:7.2f} s {rate:7.1f} texts/s {ratio:6.2f} times the first")
    same = all([v.keep for v in verdicts[n]] == [v.keep for v in verdicts[first]] for n in WAYS)
    off = max(
        abs(a.perplexity / b.perplexity - 1)
        for a, b in zip(verdicts[first], verdicts[last], strict=True)
    )
    print(f"decisions {'equal' if same else 'DIFFER'}, perplexities by at most {off:.0e}")
    return verdicts[last]


def _discriminator(lm: CausalLM, batch_size: int, dtype: str) -> PerplexityDiscriminator:
    settings = LMSettings(batch_size=batch_size, dtype=dtype, max_perplexity=MAX_PERPLEXITY)
    discriminator = PerplexityDiscriminator(settings, max_window_nats=MAX_WINDOW_NATS)
    discriminator.lm = lm
    return discriminator


def _timed(
    filter_docs: Callable[[Sequence[Doc]], list[Verdict]], groups: Sequence[Sequence[Doc]]
) -> tuple[float, list[Verdict]]:
    began = process_time()
    verdicts = list(chain.from_iterable(map(filter_docs, groups)))
    return process_time() - began, verdicts


if __name__ == "__main__":
    typer.run(main)
