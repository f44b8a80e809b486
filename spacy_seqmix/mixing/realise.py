"""The nearest-token realiser: each mixed vector becomes the word nearest to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from spacy.language import Language
from spacy.tokens import Doc

from ..types import Floats2d, MixPlan, Realiser, Segment, SegmentMix
from .build_doc import candidates, is_pure, words_of
from .token_table import Query, cased_like, word_shape
from .vectors import BuiltTable, TableBuilder


@dataclass
class NearestToken(Realiser):
    """The nearest-token realiser: SeqMix, Eq. 5-8. See ``make_nearest_token``."""

    table: TableBuilder
    same_shape: bool = True

    def prepare(
        self, docs: Sequence[Doc], corpus: Sequence[Doc], nlp: Language, trained: Language | None
    ) -> "PreparedNearestToken":
        """Build the table for these docs."""
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
        """Make two candidates per plan, with the mixed window in the left and in the right parent,
        or only the first where the plan says so.

        Eq. 5-7: e = λ e_i + (1 − λ) e_j, and the word nearest to e. Plans for which the table has
        no word give no candidate. In segments of different lengths, the positions that both have
        are mixed, and the words of the longer one follow.
        """
        if not plans:
            return []
        mixed_words = iter(self._words([mix for plan in plans for mix in plan.mixes]))
        out: list[Doc] = []
        for plan in plans:
            words = [both for _, both in zip(plan.mixes, mixed_words, strict=False)]
            if None not in words:
                out += candidates(self.docs, plan, partial(_number, words), self.nlp)
        return out

    def _words(self, mixes: Sequence[SegmentMix]) -> list[tuple[str, ...] | None]:
        """The words of each mix, at the positions that both sides have; None where the table has
        no word."""
        mixed = [mix for mix in mixes if not is_pure(mix.lam)]
        used = sorted({seg.doc for mix in mixed for seg in (mix.left, mix.right)})
        lent = [Doc(self.nlp.vocab, words=list(mix.words)) for mix in mixed if mix.words]
        vectors = self.built.of_docs([*(self.docs[i] for i in used), *lent])
        theirs = iter(vectors[len(used) :])
        of_doc = dict(zip(used, vectors, strict=False))
        queries = [self._query(mix, of_doc, next(theirs) if mix.words else None) for mix in mixed]
        best = iter(self.built.table.nearest(queries))
        return [
            () if is_pure(mix.lam) else self._match_case(mix, next(best)) or None for mix in mixes
        ]

    def _query(
        self, mix: SegmentMix, vectors: Mapping[int, Floats2d], lent: Floats2d | None
    ) -> Query:
        left, right = self._tokens(mix.left), mix.words or self._tokens(mix.right)
        n = min(len(left), len(right))
        left, right = left[:n], right[:n]
        e_left = vectors[mix.left.doc][mix.left.start : mix.left.start + n]
        e_right = lent if lent is not None else vectors[mix.right.doc][mix.right.start :]
        parents = (mix.left.doc, mix.right.doc)
        return Query(
            vectors=(mix.lam * e_left + (1.0 - mix.lam) * e_right[:n]).astype("float32"),
            own=frozenset([*left, *right]),
            shapes=tuple((word_shape(a), word_shape(b)) for a, b in zip(left, right, strict=True))
            if self.same_shape
            else (),
            held_out=self.built.held_out(
                [self.docs[i] for i in parents], [vectors[i] for i in parents]
            ),
        )

    def _match_case(self, mix: SegmentMix, words: Sequence[str]) -> tuple[str, ...]:
        """Words of a table without capitals take the case of the parent that weighs more."""
        if self.built.table.cased:
            return tuple(words)
        like = self._tokens(mix.left if mix.lam >= 0.5 else mix.right)
        return tuple(cased_like(word, model) for word, model in zip(words, like, strict=False))

    def _tokens(self, segment: Segment) -> tuple[str, ...]:
        return words_of(self.docs[segment.doc], segment)


def make_nearest_token(table: TableBuilder, same_shape: bool = True) -> NearestToken:
    """Create the nearest-token realiser.

    table (Callable): a token table, "spacy-seqmix.PieceTable.v1" or one of its kin.
    same_shape (bool): only take words with the shape (capitals, digits, punctuation) of either
        parent's token, where there are any.
    RETURNS (NearestToken): a realiser; ``prepare`` it with docs.
    """
    return NearestToken(table, same_shape)


def _number(words: Sequence[tuple[str, ...] | None], k: int, _: SegmentMix) -> tuple[str, ...]:
    return words[k] or ()
