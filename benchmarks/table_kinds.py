"""What each kind of token table makes of real sentences: kept share, nats in the window, examples.

Draws the same window pairs for every table, mixes them without a filter, and scores what comes
out with a causal language model. Writes Markdown.

    python benchmarks/table_kinds.py TRAIN.spacy --encoder E --lm LM [--trained PIPELINE] > out.md
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import spacy
import typer
from spacy.tokens import Doc

from spacy_seqmix.annotation.docbins import read_docs
from spacy_seqmix.annotation.provenance import get_origin
from spacy_seqmix.lm.discriminator import make_perplexity_discriminator
from spacy_seqmix.mixing.contextual import make_contextual_table
from spacy_seqmix.mixing.realise import NearestToken
from spacy_seqmix.mixing.strategies import make_sub_sequence
from spacy_seqmix.mixing.token_table import word_shape
from spacy_seqmix.mixing.vectors import (
    TableBuilder,
    make_piece_table,
    make_word_table,
)


def kinds(encoder: str, trained: bool) -> dict[str, tuple[TableBuilder, bool]]:
    """Name -> (table, same word shape only)."""
    tables: dict[str, tuple[TableBuilder, bool]] = {
        "word pieces, squared distance (the paper)": (make_piece_table(encoder), False),
        "word pieces of the corpus' script, squared distance": (
            make_piece_table(encoder, same_script_only=True),
            False,
        ),
        "words of the corpus, squared distance": (
            make_word_table(encoder, metric="squared"),
            False,
        ),
        "words of the corpus, centred cosine": (make_word_table(encoder), False),
        "words of the corpus, centred cosine, same shape": (make_word_table(encoder), True),
        "contextual, layer 2, centred cosine, same shape": (
            make_contextual_table(encoder, layer=2),
            True,
        ),
        "contextual, last layer, centred cosine": (make_contextual_table(encoder), False),
        "contextual, last layer, centred cosine, same shape": (
            make_contextual_table(encoder),
            True,
        ),
    }
    if trained:
        tables["contextual, last layer of the trained pipeline, same shape"] = (
            make_contextual_table(encoder, source="pipeline"),
            True,
        )
    return tables


def main(
    train: Annotated[Path, typer.Argument(help=".spacy file with labelled docs")],
    encoder: Annotated[str, typer.Option(help="Encoder: name or folder")] = "bert-base-cased",
    lm: Annotated[str, typer.Option(help="Causal LM: name, folder or .gguf")] = "gpt2",
    trained: Annotated[Path | None, typer.Option(help="A trained pipeline")] = None,
    n_docs: Annotated[int, typer.Option(help="Docs to mix from, drawn at random")] = 700,
    n_pairs: Annotated[int, typer.Option(help="Window pairs per table")] = 100,
    max_perplexity: Annotated[float, typer.Option(help="Of the kept share")] = 500.0,
    max_nats: Annotated[float, typer.Option(help="Of the kept share")] = 15.0,
    seed: int = 0,
) -> None:
    """Print a table of figures and ten docs for each kind."""
    nlp = spacy.blank("en")
    docs = read_docs(train, nlp)
    order = np.random.default_rng(seed).permutation(len(docs))[:n_docs]
    docs = [docs[int(i)] for i in order]
    strategy = make_sub_sequence()
    parents = [doc for doc in docs if strategy.eligible(doc)]
    plans = list(islice(strategy(parents, np.random.default_rng(seed)), n_pairs))
    discriminator = make_perplexity_discriminator(lm, max_perplexity=max_perplexity)
    pipeline = spacy.load(trained) if trained else None
    print(f"{len(docs)} docs, {len(parents)} eligible, {len(plans)} pairs, seed {seed}, ", end="")
    print(f"encoder {Path(encoder).name}, LM {Path(lm).name}, {date.today()}.\n")
    columns = ["table", "kept by perplexity", "kept by both", "nats in the window", "shape kept"]
    print(f"| {' | '.join(columns)} | median perplexity |\n|---|---|---|---|---|---|")
    samples: dict[str, list[Doc]] = {}
    print(row("(the unmixed windows)", *unmixed(parents, plans, discriminator, max_nats)))
    for name, (table, same_shape) in kinds(encoder, trained is not None).items():
        realiser = NearestToken(table, same_shape)
        mixed = realiser.prepare(parents, docs, nlp, pipeline)(plans)
        verdicts = discriminator(mixed)
        print(row(name, verdicts, shape_share(parents, plans, mixed), max_nats), flush=True)
        samples[name] = mixed[:: max(1, len(mixed) // 10)][:10]
    for name, some in samples.items():
        print(f"\n## {name}\n")
        for doc in some:
            print(f"- {show(doc)}")


def row(name: str, verdicts: Sequence[Any], shapes: float, max_nats: float) -> str:
    """One line of the table."""
    nats = np.array([v.window_nats for v in verdicts])
    kept = np.array([v.keep for v in verdicts])
    both = kept & (nats <= max_nats)
    median = float(np.median([v.perplexity for v in verdicts]))
    return (
        f"| {name} | {kept.mean():.0%} | {both.mean():.0%} | {nats.mean():.1f} | {shapes:.0%} "
        f"| {median:.0f} |"
    )


def unmixed(
    parents: Sequence[Doc], plans: Sequence[Any], discriminator: Callable[..., Any], max_nats: float
) -> tuple[Any, float, float]:
    """Verdicts on the parents' own windows, as real text scores."""
    from spacy_seqmix.annotation.provenance import Origin, Part, set_origin

    own = []
    for plan in plans:
        for segment in (plan.mixes[0].left, plan.mixes[0].right):
            doc, (_, start, end) = parents[segment.doc].copy(), astuple(segment)
            set_origin(doc, Origin("", (Part(start, end, start, end, "", start, end, 1.0, ()),)))
            own.append(doc)
    return discriminator(own), 1.0, max_nats


def shape_share(parents: Sequence[Doc], plans: Sequence[Any], mixed: Sequence[Doc]) -> float:
    """The share of replaced tokens with the word shape of either parent's token."""
    right = 0
    total = 0
    for i, doc in enumerate(mixed):
        origin = get_origin(doc)
        assert origin is not None
        plan = plans[i // 2]
        for k, word in enumerate(origin.parts[0].words):
            pair = (
                parents[plan.mixes[0].left.doc][plan.mixes[0].left.start + k],
                parents[plan.mixes[0].right.doc][plan.mixes[0].right.start + k],
            )
            right += word_shape(word) in {word_shape(t.text) for t in pair}
            total += 1
    return right / max(1, total)


def show(doc: Doc) -> str:
    """The text with the mixed window in bold."""
    origin = get_origin(doc)
    assert origin is not None
    inside = doc[origin.start : origin.end]
    return f"{doc.text[: inside.start_char]}**{inside.text}**{doc.text[inside.end_char :]}".strip()


if __name__ == "__main__":
    typer.run(main)
