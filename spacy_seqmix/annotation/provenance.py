"""The origin of a mixed doc: enough to rebuild it from its parents, word for word."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from spacy.tokens import Doc

from ..errors import Errors, SeqMixError
from . import layers, recipes, relations, soft_labels

KEY = "seqmix_origin"


@dataclass(frozen=True)
class Part:
    """One mixed segment of a doc.

    start, end (int): its tokens in the mixed doc; ends are exclusive.
    target_start, target_end (int): the tokens of the target parent that it stands for.
    other (str): ``doc_key`` of the parent of the segment that was mixed in.
    other_start, other_end (int): the tokens of that segment.
    weight (float): the share of the target (λ, or 1 − λ for the right side of a plan).
    words (tuple[str, ...]): the words of the part in the mixed doc.
    partners (tuple[str, ...] | None): words that were mixed in instead of those of the segment.
    """

    start: int
    end: int
    target_start: int
    target_end: int
    other: str
    other_start: int
    other_end: int
    weight: float
    words: tuple[str, ...]
    partners: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Origin:
    """The record of how one mixed doc was made.

    target (str): ``doc_key`` of the parent whose text surrounds the mixed segments.
    parts (tuple[Part, ...]): the mixed segments in their order, at least one.
    layer (str): whose labels were mixed, "ents", "tags", "spans:KEY" or "relations".
    relations (tuple[int, int] | None): which relation of the target was mixed with which of the
        other parent.
    labels (str): "soft", or "hard" where only the repaired annotation was kept.
    surplus (str): what happens at positions that only the longer segment has: "keep" leaves them
        unmixed, "pad" mixes them with padding.
    interpolated (bool): whether the doc has a ``Recipe``, so that an encoder mixes it.
    pretokenised (bool): whether the tokeniser would split the text into other words.
    perplexity, window_nats (float | None): the scores of the language model, if one was used.
    """

    target: str
    parts: tuple[Part, ...]
    layer: str = "ents"
    labels: str = "soft"
    surplus: str = "keep"
    interpolated: bool = False
    pretokenised: bool = False
    perplexity: float | None = None
    window_nats: float | None = None
    relations: tuple[int, int] | None = None

    @property
    def start(self) -> int:
        """The first mixed token."""
        return self.parts[0].start

    @property
    def end(self) -> int:
        """The token after the last mixed segment."""
        return self.parts[-1].end

    def scored(self, perplexity: float | None, window_nats: float | None) -> Origin:
        """A copy with the scores of a language model."""
        return replace(self, perplexity=perplexity, window_nats=window_nats)


def get_origin(doc: Doc) -> Origin | None:
    """The origin of a mixed doc, None for any other. Survives DocBin(store_user_data=True).

    RAISES (SeqMixError): S264 if another version stored it.
    """
    data: dict[str, Any] | None = doc.user_data.get(KEY)
    if data is None:
        return None
    try:
        parts = tuple(Part(**{**part, **_tuples(part)}) for part in data["parts"])
        pair = data.get("relations")
        pair = None if pair is None else tuple(pair)
        origin = Origin(**{**data, "parts": parts, "relations": pair})
        _check(origin)
        return origin
    except (AttributeError, KeyError, TypeError, ValueError) as err:
        reason = f"{type(err).__name__}: {err}"
        raise SeqMixError(Errors.E264.format(reason=reason, text=doc.text[:80])) from None


def _check(origin: Origin) -> None:
    """RAISES (ValueError, TypeError): for an origin without parts, or with impossible ones."""
    if not origin.parts:
        raise ValueError("it has no parts")
    for part in origin.parts:
        places = [part.start, part.end, part.target_start, part.target_end]
        places += [part.other_start, part.other_end]
        if not all(isinstance(place, int) for place in places) or min(places) < 0:
            raise ValueError(f"the places {places}")
        if not part.start <= part.end or not 0.0 <= part.weight <= 1.0:
            raise ValueError(f"the tokens {part.start} to {part.end}, the weight {part.weight}")


def _tuples(part: dict[str, Any]) -> dict[str, Any]:
    """The words of a stored part: lists come back from a file."""
    return {k: None if part[k] is None else tuple(part[k]) for k in ("words", "partners")}


def is_pretokenised(doc: Doc) -> bool:
    """Whether a pipeline must take a doc's words as given instead of tokenising its text, as it
    must for a recipe, which names words."""
    if doc.has_unknown_spaces or recipes.KEY in doc.user_data:
        return True
    origin = get_origin(doc)
    return origin is not None and origin.pretokenised


def set_origin(doc: Doc, origin: Origin) -> None:
    """Store the origin of a mixed doc, and in ``doc._.perplexity`` the perplexity, if measured."""
    parts = [
        {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(part).items()}
        for part in origin.parts
    ]
    pair = None if origin.relations is None else list(origin.relations)
    doc.user_data[KEY] = {**asdict(origin), "parts": parts, "relations": pair}
    if origin.perplexity is not None:
        doc._.perplexity = origin.perplexity


def doc_key(doc: Doc) -> str:
    """The hash of a doc's content (words, spaces, sentence starts and labels): 16 hexadecimal
    digits."""
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
    related = relations.of(doc)
    if related is not None:
        what += repr((related.pairs, related.labels)) + related.probs.tobytes().hex()
    return hashlib.blake2b(what.encode("utf8"), digest_size=8).hexdigest()


def parent_keys(doc: Doc) -> list[str]:
    """The keys of the parents of a mixed doc; a copy has one parent."""
    origin = get_origin(doc)
    if origin is None:
        return []
    return list(dict.fromkeys([origin.target, *(part.other for part in origin.parts)]))


def by_key(docs: Iterable[Doc]) -> dict[str, Doc]:
    """Map keys to docs; the first doc counts where several are equal."""
    out: dict[str, Doc] = {}
    for doc in docs:
        out.setdefault(doc_key(doc), doc)
    return out
