"""Realisers turn plans into docs. Nearest token: mixed vectors become the words nearest to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from spacy.language import Language
from spacy.tokens import Doc

from .. import soft_labels
from ..errors import Errors
from ..layers import columns
from ..types import Floats2d, MixPlan, Segment, SoftLabels
from .origin import Origin, by_key, doc_key, get_origin, set_origin
from .spacing import join_words
from .token_table import Query, word_shape
from .vectors import BuiltTable, TableBuilder


@dataclass
class NearestToken:
    """The nearest-token realiser: SeqMix, Eq. 5-8. See ``make_nearest_token``."""

    table: TableBuilder
    same_shape: bool = True

    def prepare(
        self, docs: Sequence[Doc], corpus: Sequence[Doc], nlp: Language, trained: Language | None
    ) -> "PreparedNearestToken":
        """Build the table for these docs.

        docs (Sequence[Doc]): the labelled docs that plans will speak of.
        corpus (Sequence[Doc]): further docs whose words may be used.
        nlp (Language): whose tokeniser reads the mixed texts.
        trained (Language | None): the pipeline of the last round, for tables made from it.
        """
        return PreparedNearestToken(docs, self.table(docs, corpus, trained), nlp, self.same_shape)


class PreparedNearestToken:
    """A realiser over a fixed set of docs."""

    def __init__(
        self, docs: Sequence[Doc], built: BuiltTable, nlp: Language, same_shape: bool
    ) -> None:
        self.docs = docs
        self.built = built
        self.nlp = nlp
        self.same_shape = same_shape

    def __call__(self, plans: Sequence[MixPlan]) -> list[Doc]:
        """Two candidates a plan, the mixed window in the left parent and in the right one, or
        only the first where the plan says so.

        Eq. 5-7: e = λ e_i + (1 − λ) e_j, and the word nearest to e. Plans for which the table
        offers no word give no candidate.
        """
        if not plans:
            return []
        used = sorted({seg.doc for plan in plans for seg in (plan.left, plan.right)})
        vectors = dict(zip(used, self.built.of_docs([self.docs[i] for i in used]), strict=True))
        found = self.built.table.nearest([self._query(plan, vectors) for plan in plans])
        out = []
        for plan, nearest in zip(plans, found, strict=True):
            if nearest:
                words = self._match_case(plan, nearest)
                for target, other, weight in _ways(plan):
                    origin = self._origin(target, other, weight, words, plan.layer)
                    parents = self.docs[target.doc], self.docs[other.doc]
                    out.append(assemble(*parents, origin, self.nlp))
        return out

    def _query(self, plan: MixPlan, vectors: Mapping[int, Floats2d]) -> Query:
        left, right = self._tokens(plan.left), self._tokens(plan.right)
        e_left = vectors[plan.left.doc][plan.left.start : plan.left.end]
        e_right = vectors[plan.right.doc][plan.right.start : plan.right.end]
        parents = (plan.left.doc, plan.right.doc)
        return Query(
            vectors=(plan.lam * e_left + (1.0 - plan.lam) * e_right).astype("float32"),
            own=frozenset(left + right),
            shapes=tuple((word_shape(a), word_shape(b)) for a, b in zip(left, right, strict=True))
            if self.same_shape
            else (),
            held_out=self.built.held_out(
                [self.docs[i] for i in parents], [vectors[i] for i in parents]
            ),
        )

    def _match_case(self, plan: MixPlan, words: Sequence[str]) -> tuple[str, ...]:
        """Words of a table without capitals take the case of the parent that weighs more."""
        if self.built.table.cased:
            return tuple(words)
        like = self._tokens(plan.left if plan.lam >= 0.5 else plan.right)
        return tuple(_cased_like(word, model) for word, model in zip(words, like, strict=True))

    def _tokens(self, segment: Segment) -> list[str]:
        return [t.text for t in self.docs[segment.doc][segment.start : segment.end]]

    def _origin(
        self, target: Segment, other: Segment, weight: float, words: tuple[str, ...], layer: str
    ) -> Origin:
        return Origin(
            target=doc_key(self.docs[target.doc]),
            other=doc_key(self.docs[other.doc]),
            start=target.start,
            end=target.end,
            other_start=other.start,
            weight=weight,
            words=words,
            layer=layer,
        )


def make_nearest_token(table: TableBuilder, same_shape: bool = True) -> NearestToken:
    """Create the nearest-token realiser.

    table (Callable): a token table, "spacy-seqmix.PieceTable.v1" or one of its kin.
    same_shape (bool): only take words with the shape (capitals, digits, punctuation) of either
        parent's token, where there are any.
    RETURNS (NearestToken): a realiser; ``prepare`` it with docs.
    """
    return NearestToken(table, same_shape)


def assemble(target: Doc, other: Doc, origin: Origin, nlp: Language) -> Doc:
    """Build the mixed doc that an origin describes: the only place where labels are mixed.

    Eq. 8: inside the window ỹ = λ y_i + (1 − λ) y_j; outside, the target's own words and labels.
    The result has text, repaired annotation, soft labels, sentence starts and its origin, which
    says where its text would not tokenise back to its words (``Origin.pretokenised``).
    """
    start, end = origin.start, origin.end
    parents = [soft_labels.of(parent, origin.layer) for parent in (target, other)]
    tags = columns(origin.layer, (tag for soft in parents for tag in soft.labels))
    rows, theirs = (soft_labels.with_tags(soft, tags) for soft in parents)
    theirs = theirs[origin.other_start : origin.other_start + end - start]
    # In float64, so that equal labels mix to exactly the same.
    ours = rows[start:end].astype("float64")
    rows[start:end] = origin.weight * ours + (1.0 - origin.weight) * theirs
    doc, pretokenised = join_words(target, start, origin.words, nlp)
    for token, before in zip(doc, target, strict=True):
        if before.is_sent_start is not None:
            token.is_sent_start = before.is_sent_start
    soft = SoftLabels(tags, rows, origin.layer)
    soft_labels.annotate(doc, soft)
    soft_labels.put(doc, soft)
    set_origin(doc, replace(origin, pretokenised=pretokenised))
    return doc


def replay(origin: Origin, docs: Sequence[Doc], nlp: Language) -> Doc:
    """Rebuild a mixed doc from its origin and its parents, without any model.

    docs (Sequence[Doc]): docs among which both parents are.
    RAISES (ValueError): S211 when a parent is not among them.
    """
    parents = by_key(docs)
    for key in (origin.target, origin.other):
        if key not in parents:
            raise ValueError(Errors.E211.format(key=key))
    doc = assemble(parents[origin.target], parents[origin.other], origin, nlp)
    if origin.labels == "hard":
        harden(doc)
    return doc


def harden(doc: Doc) -> None:
    """Keep only the repaired annotation of a mixed doc, for components that train on it alone."""
    soft_labels.clear(doc)
    origin = get_origin(doc)
    if origin is not None:
        set_origin(doc, replace(origin, labels="hard"))


def _ways(plan: MixPlan) -> list[tuple[Segment, Segment, float]]:
    """(target, other, weight of the target) of each candidate."""
    ways = [(plan.left, plan.right, plan.lam), (plan.right, plan.left, 1.0 - plan.lam)]
    return ways if plan.both_ways else ways[:1]


def _cased_like(word: str, model: str) -> str:
    if model.isupper() and len(model) > 1:
        return word.upper()
    return word[:1].upper() + word[1:] if model[:1].isupper() else word
