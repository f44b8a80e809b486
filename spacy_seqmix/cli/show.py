"""`spacy seqmix show`."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg
from wasabi.util import color

if TYPE_CHECKING:
    from spacy.tokens import Doc

__all__ = ["describe", "show_cli"]


def show_cli(
    path: Annotated[Path, typer.Argument(metavar="FILE.spacy", help="Docs, mixed or not")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="How many; 0 for all")] = 10,
    lang: Annotated[str, typer.Option("--lang", "-l", help="Language of the docs")] = "en",
) -> None:
    """Show the mixed docs of a file: text, entities, λ, perplexity, and the labels that were mixed.

    The mixed window is in bold. Docs that were not mixed are counted, not shown.
    """
    import spacy

    from ..docbin import read_docs
    from ..mixing.origin import get_origin

    try:
        docs = read_docs(path, spacy.blank(lang), need_entities=False)
    except (ValueError, ImportError, OSError) as err:
        msg.fail(str(err), exits=1)
    mixed = [doc for doc in docs if get_origin(doc) is not None]
    for number, doc in enumerate(islice(mixed, limit or None), 1):
        print("\n".join(describe(doc, number)), end="\n\n")
    msg.info(f"{len(mixed)} of {len(docs)} docs are mixed")


def describe(doc: "Doc", number: int) -> Iterator[str]:
    """The lines that show one mixed doc."""
    from .. import soft_labels
    from ..mixing.origin import get_origin

    origin = get_origin(doc)
    assert origin is not None
    window = doc[origin.start : origin.end]
    inside = color(window.text, bold=True)
    yield f"{number:3d}  {doc.text[: window.start_char]}{inside}{doc.text[window.end_char :]}"
    figures = [f"λ {origin.weight:.2f}"]
    if origin.perplexity is not None:
        figures.append(f"perplexity {origin.perplexity:.0f}")
    if origin.window_nats is not None:
        figures.append(f"{origin.window_nats:.1f} nats a word in the window")
    yield "     " + ", ".join(figures)
    yield "     " + _annotation(doc, origin.layer)
    soft = soft_labels.get(doc)
    if soft is None:
        return
    for token, row in zip(window, soft.probs[origin.start : origin.end], strict=True):
        tags = sorted(zip(row, soft.labels, strict=True), reverse=True)
        shares = "  ".join(f"{tag} {share:.2f}" for share, tag in tags if share > 0.005)
        yield f"     {token.text:<20} {shares}"


def _annotation(doc: "Doc", layer: str) -> str:
    """What the layer that was mixed says: entities, spans of a key, or every token's tag."""
    if layer == "tags":
        return " ".join(f"{token.text} {color(token.tag_, fg='cyan')}" for token in doc)
    key = layer.removeprefix("spans:")
    spans = doc.ents if layer == "ents" else doc.spans.get(key, [])
    found = ", ".join(f"{span.text} {color(span.label_, fg='cyan')}" for span in spans)
    return f"{'entities' if layer == 'ents' else f'spans {key}'}: {found or 'none'}"
