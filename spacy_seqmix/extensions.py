"""Attributes that a language model sets on docs and spans."""

from spacy.tokens import Doc, Span


def register_extensions() -> None:
    """Make ``doc._.perplexity``, ``doc._.plausible`` and ``span._.perplexity`` known to spaCy.

    Their values live in ``doc.user_data``: they survive ``Doc.to_bytes`` and
    ``DocBin(store_user_data=True)``.
    """
    for kind, name in ((Doc, "perplexity"), (Doc, "plausible"), (Span, "perplexity")):
        if not kind.has_extension(name):
            kind.set_extension(name, default=None)
