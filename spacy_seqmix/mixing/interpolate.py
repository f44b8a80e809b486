"""The interpolated realiser of SegMix: docs keep a recipe, and an encoder mixes while it trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spacy.language import Language
from spacy.tokens import Doc

from ..errors import Errors, SeqMixError
from ..types import MixPlan, Realiser, SegmentMix
from .build_doc import candidates, words_of

SURPLUS = ("keep", "pad")


@dataclass(frozen=True)
class Interpolated(Realiser):
    """See ``make_interpolated``. It needs no table, no model and no further words."""

    surplus: str = "keep"
    interpolates = True

    def prepare(
        self, docs: Sequence[Doc], corpus: Sequence[Doc], nlp: Language, trained: Language | None
    ) -> PreparedInterpolated:
        """Only docs and nlp are used."""
        return PreparedInterpolated(docs, nlp, self.surplus)


@dataclass(frozen=True)
class PreparedInterpolated:
    """A realiser over a fixed set of docs."""

    docs: Sequence[Doc]
    nlp: Language
    surplus: str

    def __call__(self, plans: Sequence[MixPlan]) -> list[Doc]:
        """Make one or two candidates per plan, each with a recipe."""
        settings = {"surplus": self.surplus, "interpolated": True}
        return [
            doc
            for plan in plans
            for doc in candidates(self.docs, plan, self._both, self.nlp, **settings)
        ]

    def _both(self, _: int, mix: SegmentMix) -> tuple[str, ...]:
        """The doc's own words, at the positions that both sides have."""
        return words_of(self.docs[mix.left.doc], mix.left)[: len(mix.words or mix.right)]


def make_interpolated(surplus: str = "keep") -> Interpolated:
    """Create the interpolated realiser: SegMix (2023), mixing in the input embeddings.

    A doc keeps its own words, with soft labels and a recipe: e = λ e_i + (1 − λ) e_j for the input
    embeddings of each mixed word. This needs an encoder that mixes by recipes,
    "spacy-seqmix.MixTransformerModel.v1" or "spacy-seqmix.MixEmbed.v1".

    surplus (str): what happens at positions that only the longer of two segments has. "keep":
        embeddings and labels stay unmixed. "pad": they are mixed with the padding token and "O".
    RETURNS (Interpolated): a Realiser.
    RAISES (SeqMixError): S247 for another surplus.
    """
    if surplus not in SURPLUS:
        raise SeqMixError(Errors.E247.format(surplus=surplus))
    return Interpolated(surplus)
