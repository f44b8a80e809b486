"""What is computed of each text: a policy's score, perplexity, spans with confidence, labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from ..active.characters import in_characters
from ..active.pseudo_labels import pseudo_labelled, tag_columns
from ..annotation.lazy_docs import unpacked
from ..annotation.texts import KEY, task_key
from ..annotation.vocabulary import temporary_words
from ..distill.teachers import check_same_pipeline
from ..errors import Errors, SeqMixError, describe
from ..lm.discriminator import PerplexityDiscriminator
from ..lm.scores import perplexity
from ..lm.settings import LMSettings
from ..query.by_name import component_of, policy_of
from ..query.policies import QueryPolicy, evidence, score_docs
from ..query.suggestions import suggest

__all__ = ["Part", "Scored", "Scorer", "Wanted", "make_scorer"]

# A line of the output. What was not asked for has no key.
Row = dict[str, Any]
SPAN_KEYS = ("start", "end", "label", "confidence")


@dataclass(frozen=True)
class Wanted:
    """What is computed: plain values, so that another process can have them.

    model (str): a pipeline: a folder or a package.
    component (str | None): the component that is asked; None for the first that can be.
    policy (str | None): the name of a policy, or a config with [policy]; None for no scores.
    lm (str | None): a language model, for the perplexity of each text; None for none.
    spans (bool): what the pipeline finds, with confidence.
    docs (bool): docs with the component's probabilities as soft labels.
    seed (int): of policies that draw.
    """

    model: str
    component: str | None = None
    policy: str | None = None
    lm: str | None = None
    spans: bool = False
    docs: bool = False
    seed: int = 0


class Part(NamedTuple):
    """Some texts of a pool, of one shard.

    number (int): of the shard, counted from 0.
    ids (Sequence[int]): the numbers of the texts in the pool.
    packed (list): the texts, see ``LazyDocs.packed``.
    """

    number: int
    ids: Sequence[int]
    packed: list[list[str] | bytes]


@dataclass
class Scored:
    """What was computed of texts.

    rows (list[Row]): one for each text, in their order; one that failed has the key "error".
    docs (list[Doc]): docs with soft labels, without those that failed.
    """

    rows: list[Row] = field(default_factory=list)
    docs: list[Doc] = field(default_factory=list)


class Scorer:
    """Computes what is wanted. Nothing of a text depends on the texts of other shards."""

    def __init__(self, wanted: Wanted, nlp: Language | None = None) -> None:
        """Load the pipeline, and the language model.

        nlp (Language | None): the pipeline of this name, where it is loaded already.
        RAISES (ValueError, OSError): S401, S424, S444, S570, S652, S653 and S710, see
            ``component_of`` and ``policy_of``; S434 where labels are wanted of a component that has
            none; those of ``spacy.load`` and ``CausalLM.load``.
        """
        self.wanted = wanted
        self.nlp: Language = spacy.load(wanted.model) if nlp is None else nlp
        self.policy: QueryPolicy | None = (
            None if wanted.policy is None else policy_of(wanted.policy)
        )
        asked = self.policy if self.policy is not None else policy_of("NTE")
        needs_one = self.policy is not None or wanted.docs or wanted.spans
        self.component = component_of(self.nlp, asked, wanted.component) if needs_one else None
        if wanted.docs:
            if self.component is None:
                raise SeqMixError(
                    Errors.E401.format(name="ner", pipes=self.nlp.pipe_names, able="none")
                )
            tag_columns(self.nlp, self.component)
        # In float32, so that scores hardly depend on the other texts of a batch.
        self.discriminator: PerplexityDiscriminator | None = None
        if wanted.lm is not None:
            settings = LMSettings(model=wanted.lm, dtype="float32")
            self.discriminator = PerplexityDiscriminator(settings)
            # Loaded now: an error must end the command, not count as that of a text.
            _ = self.discriminator.lm

    def __call__(self, part: Part) -> tuple[list[Row], bytes | None]:
        """Compute what is wanted of some texts. A text that fails does not stop the others.

        RETURNS (tuple): a row for each text, and a DocBin of the docs, where they are wanted.
        """
        with self._block():
            out = self._scored(part)
            if not self.wanted.docs:
                return out.rows, None
            return out.rows, DocBin(docs=out.docs, store_user_data=True).to_bytes()

    def _block(self) -> AbstractContextManager[None]:
        """The block in which a part is scored. It frees the words of the part, unless the policy
        may keep its docs."""
        if self.policy is not None and self.policy.may_keep_docs:
            return nullcontext()
        return temporary_words(self.nlp, tokenises=True)

    def _scored(self, part: Part) -> Scored:
        rng = np.random.default_rng([self.wanted.seed, part.number])
        docs = unpacked(part.packed, self.nlp)
        try:
            return self._all(part.ids, docs, rng)
        except Exception:
            out = Scored()
            for one in self._singly(part.ids, docs, rng):
                out.rows += one.rows
                out.docs += one.docs
            return out

    def _singly(
        self, ids: Sequence[int], docs: Sequence[Doc], rng: np.random.Generator
    ) -> Iterator[Scored]:
        for number, doc in zip(ids, docs, strict=True):
            try:
                yield self._all([number], [doc], rng)
            except Exception as err:  # of any component
                yield Scored([{"key": task_key(number, doc.text), "error": describe(err)}])

    def _all(self, ids: Sequence[int], docs: Sequence[Doc], rng: np.random.Generator) -> Scored:
        wanted = self.wanted
        rows: list[Row] = [
            {"key": task_key(number, doc.text), "tokens": len(doc)}
            for number, doc in zip(ids, docs, strict=True)
        ]
        labelled: list[Doc] = []
        if self.policy is not None:
            found = score_docs(self.policy, docs, partial(self._evidence, self.policy), rng)
            for row, score in zip(rows, self.policy.adjusted(found, docs).tolist(), strict=True):
                row["score"] = score if math.isfinite(score) else None
        if self.discriminator is not None:
            texts = [doc.text.strip() for doc in docs]
            for row, score in zip(rows, self.discriminator.score(texts), strict=True):
                value = perplexity(score)
                row["perplexity"] = value if math.isfinite(value) else None
        if wanted.spans:
            found_spans = suggest(self.nlp, self.component, docs)
            for row, doc, spans in zip(rows, docs, found_spans, strict=True):
                shown = (in_characters(one, doc) for one in spans)
                row["spans"] = [dict(zip(SPAN_KEYS, one, strict=True)) for one in shown]
        if wanted.docs and self.component is not None:
            labelled = pseudo_labelled(self.nlp, self.component, docs)
            for row, doc in zip(rows, labelled, strict=True):
                doc.user_data[KEY] = row["key"]
        return Scored(rows, labelled)

    def _evidence(self, policy: QueryPolicy, docs: Sequence[Doc]) -> Any:
        if self.component is None or policy.needs == "nothing":
            return docs
        return evidence(policy.needs, self.nlp, self.component, docs)


def make_scorer(wanted: Wanted, digest: str) -> Scorer:
    """Make a scorer on another machine.

    digest (str): of the pipeline, see ``pipeline_digest``.
    RAISES (ValueError, OSError): as ``Scorer``, and S779 where the machine has another pipeline.
    """
    scorer = Scorer(wanted)
    check_same_pipeline(scorer.nlp, wanted.model, digest)
    return scorer
