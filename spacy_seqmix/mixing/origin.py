"""Where a mixed doc came from: enough to rebuild it from its parents, word for word."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from spacy.tokens import Doc

from .. import layers, soft_labels

KEY = "seqmix_origin"


@dataclass(frozen=True)
class Origin:
    """The recipe of one mixed doc.

    target, other (str): ``doc_key`` of the parent whose text surrounds the window, and of the one
        that lent its window.
    start, end (int): the mixed window, in tokens of the mixed doc and of its target parent.
    other_start (int): where the other parent's window begins.
    weight (float): the share of the target's labels in the window (λ, or 1 − λ for the right one).
    words (tuple[str, ...]): the tokens found for the window.
    perplexity, window_nats (float | None): what the language model said, where it was asked.
    labels (str): "soft", or "hard" where only the repaired annotation was kept.
    layer (str): whose labels were mixed, "ents", "tags" or "spans:KEY".
    pretokenised (bool): whether the tokeniser would not find these words in the text.
    """

    target: str
    other: str
    start: int
    end: int
    other_start: int
    weight: float
    words: tuple[str, ...]
    perplexity: float | None = None
    window_nats: float | None = None
    labels: str = "soft"
    layer: str = "ents"
    pretokenised: bool = False

    def scored(self, perplexity: float | None, window_nats: float | None) -> Origin:
        """The same recipe with the language model's verdict."""
        return replace(self, perplexity=perplexity, window_nats=window_nats)


def get_origin(doc: Doc) -> Origin | None:
    """The origin of a mixed doc, None for any other. Survives DocBin(store_user_data=True)."""
    data: dict[str, Any] | None = doc.user_data.get(KEY)
    return None if data is None else Origin(**{**data, "words": tuple(data["words"])})


def is_pretokenised(doc: Doc) -> bool:
    """Whether the words of a doc are to be taken as they are, and not from its text."""
    origin = get_origin(doc)
    return doc.has_unknown_spaces or (origin is not None and origin.pretokenised)


def set_origin(doc: Doc, origin: Origin) -> None:
    """Store the origin of a mixed doc; also in ``doc._.perplexity`` if that was measured."""
    doc.user_data[KEY] = {**asdict(origin), "words": list(origin.words)}
    if origin.perplexity is not None:
        doc._.perplexity = origin.perplexity


def doc_key(doc: Doc) -> str:
    """A name for a doc by what it says: words, spaces, sentence starts and labels, as 16
    hexadecimal digits."""
    labels = soft_labels.get(doc)
    what = repr([(t.text_with_ws, t.is_sent_start) for t in doc])
    what += repr((doc.has_unknown_spaces, layers.read(doc)))
    if doc.has_annotation("TAG"):
        what += repr(layers.read(doc, layers.TAGS))
    for key, spans in sorted(doc.spans.items()):
        if key != soft_labels.SPANS_KEY:
            what += repr((key, [(span.start, span.end, span.label_) for span in spans]))
    if labels is not None:
        what += repr(labels.labels) + labels.probs.tobytes().hex()
    return hashlib.blake2b(what.encode("utf8"), digest_size=8).hexdigest()


def by_key(docs: Iterable[Doc]) -> dict[str, Doc]:
    """Docs by their key; of equal docs the first."""
    out: dict[str, Doc] = {}
    for doc in docs:
        out.setdefault(doc_key(doc), doc)
    return out
