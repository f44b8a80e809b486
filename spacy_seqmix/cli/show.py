"""`spacy seqmix show`."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from click import unstyle
from wasabi import msg
from wasabi.util import color

from ..errors import plural
from ._common import printable, show_messages, shows_colour

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from ..annotation.relations import RelationLabels
    from ..types import SoftLabels

__all__ = ["describe", "show_cli"]

PADDING = "[padding]"


def show_cli(
    path: Annotated[Path, typer.Argument(metavar="FILE.spacy", help="Docs, mixed or not")],
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="Number of docs; 0 for all")
    ] = 10,
    lang: Annotated[str, typer.Option("--lang", "-l", help="Language of the docs")] = "en",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this text file instead")
    ] = None,
) -> None:
    """Show the mixed docs of a file: text, entities, λ, perplexity, and the mixed labels.

    The mixed window is bold, or between asterisks where the output is no terminal. Other docs are
    only counted.
    """
    import spacy

    from ..annotation.docbins import read_docs
    from ..annotation.provenance import get_origin
    from ..files import check_output, replacing

    with show_messages():
        if output is not None:
            check_output(output, [path])
        docs = read_docs(path, spacy.blank(lang), need_entities=False, progress=True)
        mixed = [doc for doc in docs if get_origin(doc) is not None]
        shown = list(enumerate(islice(mixed, limit or None), 1))
        coloured = output is None and shows_colour()
        mark = in_bold if coloured else "*{}*".format
        texts = ("\n".join(describe(doc, number, mark)) + "\n" for number, doc in shown)
        if output is None:
            for text in texts:
                print(text if coloured else unstyle(text))
        else:
            with replacing(output) as temporary:
                temporary.write_text(unstyle("\n".join([*texts, ""])), encoding="utf8")
            msg.good(f"Wrote {plural(len(shown), 'doc')} to {output}")
    msg.info(f"{len(mixed)} of {len(docs)} docs are mixed")


def in_bold(text: str) -> str:
    """Mark a text for the terminal."""
    return color(text, bold=True)


def describe(doc: "Doc", number: int, mark: Callable[[str], str] = in_bold) -> Iterator[str]:
    """Yield the lines that show one mixed doc, with its windows marked."""
    from ..annotation import recipes, soft_labels
    from ..annotation.provenance import get_origin

    origin = get_origin(doc)
    assert origin is not None
    text, at = "", 0
    for part in origin.parts:
        window = doc[part.start : part.end]
        text += printable(doc.text[at : window.start_char]) + mark(printable(window.text))
        at = window.end_char
    yield f"{number:3d}  {text}{printable(doc.text[at:])}"
    figures = ["λ " + " ".join(f"{part.weight:.2f}" for part in origin.parts)]
    if origin.perplexity is not None:
        figures.append(f"perplexity {origin.perplexity:.0f}")
    if origin.window_nats is not None:
        figures.append(f"{origin.window_nats:.1f} nats per word in the window")
    yield "     " + ", ".join(figures)
    yield "     " + _annotation(doc, origin.layer)
    recipe, soft = recipes.get(doc), soft_labels.get(doc)
    partners = dict(zip(recipe.tokens, recipe.partners, strict=True)) if recipe else {}
    for i in [i for part in origin.parts for i in range(part.start, part.end)]:
        word = printable(doc[i].text)
        if i in partners:
            word += f" + {printable(partners[i] or PADDING)}"
        if soft is not None:
            yield f"     {word:<20} {_shares(soft, i)}"
        elif i in partners:
            yield f"     {word}"


def _shares(soft: "SoftLabels", i: int) -> str:
    """Format the tags of a token, the most probable first."""
    tags = sorted(zip(soft.probs[i], soft.labels, strict=True), reverse=True)
    return "  ".join(f"{printable(tag)} {share:.2f}" for share, tag in tags if share > 0.005)


def _annotation(doc: "Doc", layer: str) -> str:
    """Format the annotation of the mixed layer: entities, spans of a key, relations, or tags."""
    from ..annotation import relations

    if layer == "relations":
        labels = relations.of(doc)
        lines = [] if labels is None else list(_relations(doc, labels))
        return "relations: " + ("; ".join(lines) or "none")
    if layer == "tags":
        return " ".join(f"{printable(t.text)} {_label(t.tag_)}" for t in doc)
    key = layer.removeprefix("spans:")
    spans = doc.ents if layer == "ents" else doc.spans.get(key, [])
    shown = ", ".join(f"{printable(span.text)} {_label(span.label_)}" for span in spans)
    return f"{'entities' if layer == 'ents' else f'spans {printable(key)}'}: {shown or 'none'}"


def _relations(doc: "Doc", relations: "RelationLabels") -> Iterator[str]:
    """Format head, tail and labels of each pair, the most probable label first."""
    for ((a, b), (c, d)), row in zip(relations.pairs, relations.probs, strict=True):
        shares = sorted(zip(row, relations.labels, strict=True), reverse=True)
        text = " ".join(f"{label} {share:.2f}" for share, label in shares if share > 0.005)
        yield printable(f"{doc[a:b].text} → {doc[c:d].text} ") + _label(text)


def _label(text: str) -> str:
    return color(printable(text), fg="cyan")
