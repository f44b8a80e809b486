"""Algorithm 1 of SeqMix: seed, augment, train, evaluate, query, repeat."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training.initialize import load_vectors_into_model
from thinc.api import Config

from ..annotation.docbins import write_docs
from ..annotation.provenance import by_key, parent_keys
from ..files import progress_bar
from ..mixing.mix import MixCounts
from ..query.policies import evidence, score_docs, top_k
from ..query.probabilities import check_needs, copy_tokens
from .annotation import gold_labels
from .committee import Committee, release_memory, save_model
from .fit import FitSettings, fit, warn_of_unseen
from .journal import Clock, Mixing, MixingSeconds, RoundRecord, Scores, Seconds, end_of
from .mixing import mix_round
from .pool import Pool, ask, digests, pool_of, read_data
from .precision import matmul_precision
from .pseudo_labels import pseudo_labelled
from .run_folder import RunFolder, disk_errors
from .schema import read_active_config
from .scores import evaluate

# Streams of random numbers, one for each purpose and round, so that none depends on another (1 is
# the pool's, 5 the committee's, and 6 that of unlabelled docs).
SEED_SET, QUERY, MIXING = 2, 3, 4

OnRound = Callable[[RoundRecord], object]


class ActiveRun:
    """One active-learning run. ``run()`` begins it or goes on from the last finished round."""

    def __init__(
        self, config: Config, run_dir: Path, *, use_gpu: int = -1, progress: bool = True
    ) -> None:
        """Check config, data and folder. Nothing is written where any of them is wrong.

        config (Config): the sections of a training config, and [active].
        run_dir (Path): the run folder; new, empty, or of the same run.
        use_gpu (int): GPU id, -1 for the CPU.
        progress (bool): show progress bars.
        RAISES (ValueError, OSError): S401 to S408 and S411, see ``errors.py``.
        """
        self.config = read_active_config(config)
        self.active, self.training = self.config.active, self.config.training
        self.policy, self.oracle = self.active.policy, self.active.oracle
        self.mixers = self.active.mixing
        self.use_gpu, self.progress = use_gpu, progress
        self.blank = spacy.blank(self.training["nlp"]["lang"])
        vectors = self.training.get("initialize", {}).get("vectors")
        if vectors and self.mixers:  # a token table may be made of them
            load_vectors_into_model(self.blank, vectors)
        self.labels_of = gold_labels(self.training["components"].get(self.active.component, {}))
        data = read_data(self.config, self.blank, self.labels_of, progress=progress)
        self.dev, self.test, self.unlabelled = data.dev, data.test, data.unlabelled
        self.folder = RunFolder(Path(run_dir))
        self.committee: Committee | None = None
        if self.policy.needs == "committee":
            settings, component = self.active.committee, self.active.component
            self.committee = Committee(settings, component, self.active.seed, self.folder)
        self._given = (config, digests(self.config))
        self._docs = data.pool.docs
        # What changes from round to round, each only once the journal has the round.
        self.records: list[RoundRecord] = []
        self.pool = data.pool
        self.mixed: list[list[Doc]] = []
        self.nlp: Language | None = None
        with self.folder.lock():
            self._read_state()

    def _read_state(self) -> None:
        """Read what the folder has; only under its lock, since other processes may change it."""
        with disk_errors():
            records = self.folder.open(*self._given)
        if records != self.records:
            self.pool = pool_of(self._docs, records, self.folder.journal)
            self.mixed = [self.folder.read_mixed(record, self.blank) for record in records]
            self.records, self.nlp = records, None

    def run(self, on_round: OnRound | None = None) -> list[RoundRecord]:
        """Run every round that is not in the journal yet.

        A round that fails leaves the folder and this object as they were before.

        on_round (Callable | None): called with the record of each round that is finished.
        RETURNS (list): the whole journal.
        RAISES (ValueError, OSError): S220, S409, S411, S412 and others.
        """
        with self.folder.lock(), matmul_precision(self.active.matmul_precision):
            self._read_state()  # another process may have had the folder since it was read
            if self.records:  # a kill may have come before the last round's tidying
                self.folder.tidy(len(self.records) - 1, self.active.keep_models)
            for number in range(len(self.records), self.active.n_rounds + 1):
                if not self.pool.unlabelled:
                    break
                try:
                    with disk_errors():
                        self._round(number)
                except Exception:
                    if len(self.records) == number:
                        self.folder.discard(number)
                    raise
                if on_round is not None:
                    on_round(self.records[-1])
            with disk_errors():
                self.folder.mark_end(self.records, self.active.n_rounds, self.pool.unlabelled)
        return self.records

    def _round(self, number: int) -> None:
        """Compute a round; then write it to the journal, and only then change this object."""
        clock = Clock()
        with clock("query"):
            queried = self._query(number)
        with clock("annotate"):
            answers = ask(self.oracle, self.pool.take(queried))
        pool = self.pool.with_labels(queried, answers)
        labelled = pool.take(pool.labelled)
        warn_of_unseen(labelled, self.dev, "dev", self.labels_of)
        start = self._last_path() if self._is_warm(number) else None
        wanted = self.active.steps_of(number)
        steps_teacher = 0
        teacher: Language | None = None
        if number == 0 and self._mixes_pool(number, pool):
            # No model can label docs yet. This one takes half of the steps, if they are fixed.
            half = wanted // 2 if wanted else None
            with clock("train"):
                teacher, steps_teacher = self._fit(number, labelled, self.active.seed, start, half)
            wanted = wanted - half if wanted and half else None
        with clock("mix"):
            mixed, counts = self._mix(number, pool, queried, teacher)
            if mixed:
                write_docs(mixed, self.folder.mixed(number))
            if counts and counts.thrown_out:
                write_docs(counts.thrown_out, self.folder.rejected(number))
        del teacher
        counting = [*self.mixed, mixed] if self.active.mix_set == "round" else [mixed]
        added = [doc for docs in counting for doc in docs]
        docs = [*labelled, *added]
        with clock("train"):
            nlp, steps = self._fit(number, docs, self.active.seed + number, start, wanted)
        with clock("evaluate"):
            scores = {"dev": self._evaluate(nlp, self.dev)}
            if self.test is not None:
                scores["test"] = self._evaluate(nlp, self.test)
        with clock("save"), self._bar(None, "Saving"):
            save_model(nlp, self.folder.model(number))
        if self.committee is not None and number < self.active.n_rounds and pool.unlabelled:
            with clock("committee"):  # for the query of the next round
                self.committee.train(
                    number,
                    lambda seed, start: self._fit(number, docs, seed, start, wanted)[0],
                    warm=self._is_warm(number),
                )
        record = RoundRecord(
            round=number,
            queried=queried,
            n_labelled=len(labelled),
            n_mixed=len(added),
            n_mixed_new=len(mixed),
            queried_tokens=[len(doc) for doc in answers],
            queried_entities=[len(doc.ents) for doc in answers],
            mixing=Mixing(**counts.counts()) if counts else None,
            judged=counts.judged if counts else None,
            steps=steps_teacher + steps,
            scores=scores,
            seconds=Seconds(**{name: round(s, 2) for name, s in clock.seconds.items()}),
            seconds_mixing=MixingSeconds(**counts.seconds()) if counts else None,
            end=end_of(number, self.active.n_rounds, pool.unlabelled),
        )
        self.folder.append(self.records, record)
        self.pool, self.nlp = pool, nlp
        self.mixed.append(mixed)
        del nlp
        release_memory()
        self.folder.tidy(number, self.active.keep_models)

    def _query(self, number: int) -> list[int]:
        """Choose the ids to label next: a random seed set, then what the policy wants most."""
        pool = self.pool.unlabelled
        if number == 0:
            order = self._rng(SEED_SET, 0).permutation(len(pool))
            return [pool[int(i)] for i in order[: self.active.n_new(number)]]
        rng = self._rng(QUERY, number)
        docs = self.pool.take(pool)
        passes = self.active.committee.members if self.committee is not None else 1
        with self._bar(passes * len(docs), "Scoring") as bar:
            evidence_of = partial(self._evidence, progress=bar.update)
            scores = score_docs(self.policy, docs, evidence_of, rng)
        return top_k(scores, pool, self.active.n_new(number), rng)

    def _evidence(self, docs: Sequence[Doc], progress: Callable[[int], object]) -> Any:
        """What the policy scores."""
        if self.policy.needs == "nothing":
            return docs
        nlp = self._last_model()
        if self.committee is not None:
            return self.committee.probs(len(self.records) - 1, nlp, docs, progress)
        return evidence(self.policy.needs, nlp, self.active.component, docs, progress)

    def _mixes_pool(self, number: int, pool: Pool) -> bool:
        """Whether a round mixes docs with labels of a model."""
        some = bool(pool.unlabelled or self.unlabelled)
        return self.config.of_pool and some and any(m.rate_at(number) for m in self.mixers)

    def _mix(
        self, number: int, pool: Pool, queried: Sequence[int], teacher: Language | None
    ) -> tuple[list[Doc], MixCounts | None]:
        """Mix the docs of ``mix_set``, if there are any.

        teacher (Language | None): what labels unlabelled docs; by default the last round's model.
        """
        of_pool = self.config.of_pool
        if not self.mixers or (of_pool and not self._mixes_pool(number, pool)):
            return [], None
        trained = teacher
        if trained is None and (number or of_pool):
            trained = self._last_model()
        docs = self._mix_set(pool, queried, trained)
        mixed, counts = mix_round(
            self.mixers,
            docs,
            (self.active.seed, MIXING, number),
            self.blank,
            # Words of the whole pool may be used, but not its labels.
            corpus=[copy_tokens(doc, self.blank) for doc in pool.docs.values()],
            trained=trained,
            number=number,
            n_docs=len(pool.labelled) if of_pool else len(docs),
            progress=self.progress,
        )
        if of_pool:  # no file has them with these labels
            keys = {key for doc in (*mixed, *counts.thrown_out) for key in parent_keys(doc)}
            parents = [doc for key, doc in by_key(docs).items() if key in keys]
            write_docs(parents, self.folder.parents(number))
        return mixed, counts

    def _mix_set(self, pool: Pool, queried: Sequence[int], trained: Language | None) -> list[Doc]:
        """The docs to mix; unlabelled ones with labels of the trained model."""
        if self.active.mix_set == "round":
            return pool.take(queried)
        if self.active.mix_set == "all":
            return pool.take(pool.labelled)
        assert trained is not None
        known = {doc.text for doc in pool.docs.values()}
        docs = pool.take(pool.unlabelled)
        docs += [doc for doc in self.unlabelled if doc.text not in known]
        with self._bar(len(docs), "Labelling") as bar:
            return pseudo_labelled(trained, self.active.component, docs, progress=bar.update)

    def _is_warm(self, number: int) -> bool:
        return self.active.start == "warm" and number > 0

    def _fit(
        self, number: int, docs: Sequence[Doc], seed: int, start: Path | None, steps: int | None
    ) -> tuple[Language, int]:
        settings = FitSettings(
            component=self.active.component,
            seed=seed,
            steps=steps,
            epochs=self.active.epochs,
            best=self.active.select_model == "best",
            use_gpu=self.use_gpu,
            progress=self.progress,
        )
        nlp, steps = fit(self.training, docs, self.dev, self.folder.work, settings, start)
        check_needs(self.policy.needs, nlp, self.active.component)
        if self.committee is not None:
            self.committee.check(nlp)
        return nlp, steps

    def _evaluate(self, nlp: Language, docs: Sequence[Doc]) -> Scores:
        with self._bar(len(docs), "Evaluating") as bar:
            return evaluate(nlp, docs, self.active.component, bar.update)

    def _bar(self, total: int | None, phase: str) -> AbstractContextManager[Any]:
        return progress_bar(total, phase, shown=self.progress)

    def _last_model(self) -> Language:
        if self.nlp is None:
            self.nlp = spacy.load(self._last_path())
        return self.nlp

    def _last_path(self) -> Path:
        return self.folder.trained(len(self.records) - 1)

    def _rng(self, purpose: int, number: int) -> np.random.Generator:
        return np.random.default_rng([self.active.seed, purpose, number])
