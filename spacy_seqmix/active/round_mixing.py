"""Mix the docs of a round: its own, all labelled ones, or unlabelled ones with predicted labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..annotation.docbins import write_docs
from ..annotation.lazy_docs import docs_of
from ..annotation.provenance import by_key, doc_key, parent_keys
from ..lm.remote import scored_by_workers
from ..mixing.mix import MixCounts
from ..mixing.mixer import Mixer
from ..parallel.workers import RayOptions
from ..query.probabilities import copy_tokens
from .config import ActiveConfig
from .mixing import mix_round
from .pool import Pool, sample
from .pseudo_labels import pseudo_labelled
from .run_folder import RunFolder

# The stream of random numbers of mixing; see ``querying`` for others.
MIXING = 4


@dataclass(frozen=True)
class RoundMixing:
    """Mixes the docs of ``mix_set``.

    nlp (Language): a blank pipeline, whose tokeniser reads the mixed texts.
    unlabelled (Sequence[Doc]): docs beside those of the pool, for mix_set = "pool".
    aside (frozenset[int]): ids of the pool that nothing trains on.
    bar (Callable): makes a progress bar, from a total and a phase.
    progress (bool): show the progress of mixing.
    ray (RayOptions | None): the Ray cluster whose workers have the language model.
    """

    config: ActiveConfig
    folder: RunFolder
    nlp: Language
    unlabelled: Sequence[Doc]
    aside: frozenset[int]
    bar: Callable[[int | None, str], AbstractContextManager[Any]]
    progress: bool
    ray: RayOptions | None = None

    def needs_teacher(self, mixers: Sequence[Mixer], number: int, pool: Pool) -> bool:
        """Whether a round mixes docs with labels of a model."""
        some = bool(pool.unlabelled or self.unlabelled)
        return self.config.of_pool and some and any(m.rate_at(number) for m in mixers)

    def __call__(
        self,
        mixers: Sequence[Mixer],
        number: int,
        pool: Pool,
        queried: Sequence[int],
        trained: Callable[[], Language | None],
    ) -> tuple[list[Doc], MixCounts | None]:
        """Mix, if there is anything to mix.

        queried (Sequence[int]): ids of the newly labelled docs.
        trained (Callable): gives the model that labels unlabelled docs, and that token tables may
            be made from; None where there is none yet.
        """
        active, of_pool = self.config.active, self.config.of_pool
        if not mixers or (of_pool and not self.needs_teacher(mixers, number, pool)):
            return [], None
        model = trained()
        docs = self._docs(pool, queried, model)
        if not docs:
            return [], None
        with scored_by_workers((mixer.discriminator for mixer in mixers), self.ray):
            mixed, counts = mix_round(
                mixers,
                docs,
                (active.seed, MIXING, number),
                self.nlp,
                # Words of the whole pool may be used, but not its labels.
                corpus=[copy_tokens(doc, self.nlp) for doc in self._words(pool)],
                trained=model,
                number=number,
                n_docs=len(pool.labelled) if of_pool else len(docs),
                progress=self.progress,
            )
        if of_pool:  # no file has them with these labels
            keys = {key for doc in (*mixed, *counts.thrown_out) for key in parent_keys(doc)}
            parents = [doc for key, doc in by_key(docs).items() if key in keys]
            write_docs(parents, self.folder.parents(number))
        return mixed, counts

    def added(
        self, before: Sequence[Sequence[Doc]], mixed: Sequence[Doc], labelled: Sequence[Doc]
    ) -> list[Doc]:
        """The mixed docs that a round trains on: with mix_set = "round" also those of the rounds
        before, unless the labels of their parents were corrected since."""
        active = self.config.active
        if active.mix_set != "round":
            return [*mixed]
        docs = [doc for of_round in (*before, mixed) for doc in of_round]
        if active.oracle.needs_gold:
            return docs
        keys = {doc_key(doc) for doc in labelled}
        return [doc for doc in docs if keys.issuperset(parent_keys(doc))]

    def _words(self, pool: Pool) -> list[Doc]:
        """Docs whose words may be used."""
        ids, active = list(pool.docs), self.config.active
        return pool.take(ids[i] for i in sample(len(ids), active.score_size, (active.seed, MIXING)))

    def _docs(self, pool: Pool, queried: Sequence[int], model: Language | None) -> list[Doc]:
        """The docs to mix; unlabelled ones with labels of the model."""
        active = self.config.active
        if active.mix_set == "round":
            return pool.take(queried)
        if active.mix_set == "all":
            return pool.take(pool.labelled)
        assert model is not None
        known = {doc.text for doc in docs_of(pool.docs, pool.docs)}
        docs = pool.take(i for i in pool.unlabelled if i not in self.aside)
        docs += [doc for doc in self.unlabelled if doc.text not in known]
        with self.bar(len(docs), "Labelling") as bar:
            return pseudo_labelled(model, active.component, docs, progress=bar.update)
