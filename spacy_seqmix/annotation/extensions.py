"""Attributes that language models and uncertainty components set on docs and spans."""

from typing import Any

from spacy.tokens import Doc, Span


def add_extension(kind: type[Doc] | type[Span], name: str, **settings: Any) -> None:
    """Register an attribute ``._.name`` with spaCy, unless it exists already.

    settings (Any): as for ``Doc.set_extension``.
    """
    if not kind.has_extension(name):
        kind.set_extension(name, **settings)


def register_extensions() -> None:
    """Register ``doc._.perplexity``, ``doc._.plausible``, ``span._.perplexity``,
    ``doc._.uncertainty`` and ``span._.confidence``.

    Their values live in ``doc.user_data``: they survive ``Doc.to_bytes`` and
    ``DocBin(store_user_data=True)``.
    """
    for name in ("perplexity", "plausible", "uncertainty"):
        add_extension(Doc, name, default=None)
    add_extension(Span, "perplexity", default=None)
    add_extension(Span, "confidence", getter=_get_confidence, setter=_set_confidence)


def _key(span: Span) -> tuple[str, str, int, int]:
    # spaCy's own keys have no label, but two spans of a group may differ in the label only. spaCy
    # shifts the offsets of keys of this form when it makes a doc from a span, or merges docs.
    return ("._.", f"confidence {span.label_}", span.start_char, span.end_char)


def _get_confidence(span: Span) -> float | None:
    data: dict[Any, Any] = span.doc.user_data
    return data.get(_key(span))


def _set_confidence(span: Span, value: float | None) -> None:
    data: dict[Any, Any] = span.doc.user_data
    data[_key(span)] = value
