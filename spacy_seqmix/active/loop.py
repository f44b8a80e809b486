"""Algorithm 1 of SeqMix: seed, augment, train, evaluate, query, repeat."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training.initialize import load_vectors_into_model
from thinc.api import Config

from ..annotation.docbins import write_docs
from ..annotation.layers import learned_layer
from ..files import progress_bar
from ..parallel.workers import RayOptions, cluster_of
from .agreeing import Agreeing
from .annotation import gold_labels
from .asking import Asking, Waiting
from .committee import Committee, save_model
from .config import read_active_config
from .dev_set import DevSet
from .fit import check_encoders, warn_of_unseen
from .journal import Clock, Mixing, MixingSeconds, RoundRecord, Scores, Seconds, end_of
from .labelling import Labelling, Pause
from .memory import frozen_objects, release_memory
from .pool import digests, pool_of, read_data
from .precision import matmul_precision
from .querying import Query
from .round_mixing import RoundMixing
from .round_training import RoundTraining
from .run_folder import RunFolder, disk_errors
from .scores import evaluate

OnRound = Callable[[RoundRecord], object]


class ActiveRun:
    """One active-learning run. ``run()`` begins it or goes on from the last finished round."""

    def __init__(
        self,
        config: Config,
        run_dir: Path,
        *,
        use_gpu: int = -1,
        progress: bool = True,
        ray: RayOptions | None = None,
    ) -> None:
        """Check config, data and folder. Nothing is written where any of them is wrong.

        config (Config): the sections of a training config, and [active].
        run_dir (Path): the run folder; new, empty, or of the same run.
        use_gpu (int): GPU id, -1 for the CPU.
        progress (bool): show progress bars.
        ray (RayOptions | None): the Ray cluster that scores the pool, and has the language model of
            mixing. All else is done here; results do not depend on it.
        RAISES (ValueError, OSError): S401 to S408 and S411, see ``errors.py``.
        """
        self.config = read_active_config(config)
        self.active, self.training = self.config.active, self.config.training
        self.policy = self.active.policy
        self.mixers = self.active.mixing
        self.progress, self.ray = progress, ray
        self.blank = spacy.blank(self.training["nlp"]["lang"])
        vectors = self.training.get("initialize", {}).get("vectors")
        if vectors and self.mixers:  # a token table may be made of them
            load_vectors_into_model(self.blank, vectors)
        self.labels_of = gold_labels(self.training["components"].get(self.active.component, {}))
        self.folder = RunFolder(Path(run_dir))
        data = read_data(self.config, self.blank, self.labels_of, self.folder, progress=progress)
        self.dev, self.test = DevSet.of(self.active, data.dev, data.pool), data.test
        self.committee: Committee | None = None
        if self.policy.needs == "committee":
            settings, component = self.active.committee, self.active.component
            self.committee = Committee(settings, component, self.active.seed, self.folder)
        self._given = (config, digests(self.config), data.files)
        layer = learned_layer(self.training["components"].get(self.active.component, {}))
        self.asking = Asking(self.active.oracle, self.folder, data.pool.docs, self.blank, layer)
        name = str(config.interpolate()["active"]["policy"].get("@misc"))
        self.labelling = Labelling(self.asking, self.folder, name, self.labels_of)
        self.mixing = RoundMixing(
            config=self.config,
            folder=self.folder,
            nlp=self.blank,
            unlabelled=data.unlabelled,
            aside=frozenset(self.dev.candidates),
            bar=self._bar,
            progress=progress,
            ray=ray,
        )
        self.fitting = RoundTraining(self.config, self.folder, self.committee, use_gpu, progress)
        self.agreeing = Agreeing(self.active, data.pool, self.dev.candidates, self._bar)
        # What the last call of ``run`` waited for; None where it came to an end.
        self.waiting: Waiting | None = None
        # What changes from round to round, each only once the journal has the round.
        self.records: list[RoundRecord] = []
        self.pool = replace(data.pool, answers=self.asking.answers)
        self.mixed: list[list[Doc]] = []
        self.nlp: Language | None = None
        with self.folder.lock():
            self._read_state()

    def _read_state(self) -> None:
        """Read what the folder has; only under its lock, since other processes may change it."""
        with disk_errors():
            records = self.folder.open(*self._given)
        if records != self.records:
            self.pool = pool_of(self.pool, records, self.folder.journal)
            self.mixed = [self.folder.read_mixed(record, self.blank) for record in records]
            self.records, self.nlp = records, None
        self.asking.read(records)

    def run(
        self,
        on_round: OnRound | None = None,
        *,
        wait: float | None = None,
        on_wait: Callable[[Waiting], object] | None = None,
    ) -> list[RoundRecord]:
        """Run every round that is not in the journal yet.

        A round that fails leaves the folder and this object as they were before, but for answers.

        on_round (Callable | None): called with the record of each round that is finished.
        wait (float | None): where answers lack, ask again after so many seconds; None: return, and
            ``waiting`` says what the round waits for.
        on_wait (Callable | None): called with what a round waits for, each time that it waits.
        RETURNS (list): the whole journal.
        RAISES (ValueError, OSError): S220, S224, S409, S411, S412 and others.
        """

        def pause(waiting: Waiting) -> bool:
            self.waiting = waiting
            if on_wait is not None:
                on_wait(waiting)
            if wait is not None:
                time.sleep(wait)
            return wait is not None

        precision = matmul_precision(self.active.matmul_precision)
        with self.folder.lock(), precision, frozen_objects(), cluster_of(self.ray):
            self._read_state()  # another process may have had the folder since it was read
            if self.labelling.of_people and not self.records:
                check_encoders(self.training["components"])  # before people spend their time
            if self.records:  # a kill may have come before the last round's tidying
                self.folder.tidy(len(self.records) - 1, self.active.keep_models)
            self.asking.oracle.begin(self.folder.path, self.blank)
            self.asking.recover(len(self.records))
            left: Sequence[int] = self.pool.unlabelled
            while self.active.has_round(len(self.records)) and left:
                number, self.waiting = len(self.records), None
                try:
                    with disk_errors():
                        finished = self._round(number, pause)
                except Exception:
                    if len(self.records) == number:
                        self.folder.discard(number)
                    raise
                if self.waiting is not None:
                    return self.records
                left = self.pool.unlabelled if finished else ()
                if finished and on_round is not None:
                    on_round(self.records[-1])
            with disk_errors():
                self.folder.mark_end(self.records, self.active.n_rounds, left)
                self.labelling.tell(max(0, len(self.records) - 1), "ended")
        return self.records

    def _round(self, number: int, pause: Pause = lambda waiting: False) -> bool:
        """Compute a round; then write it to the journal, and only then change this object.

        RETURNS (bool): whether it is finished. Otherwise answers lack, or there is no other text.
        """
        clock = Clock(partial(self.labelling.tell, number))
        query = self._query(number)
        with clock("query"):
            asked = self.labelling.choose(query)
        with clock("annotate"):
            queried = self.labelling.collect(asked, query, pause)
        if queried is None:
            return False
        self.waiting = None
        if not queried:  # there is no other text
            return False
        pool = self.pool.with_batch(queried, self.dev.held(queried))
        answers, labelled = pool.take(queried), pool.take(pool.labelled)
        dev = self.dev.docs(number, pool)
        warn_of_unseen(labelled, dev, "dev", self.labels_of)
        start = self._last_path() if self._is_warm(number) else None
        seed = self.active.seed + number
        first: Language | None = None  # of the round's labelled docs alone
        steps_first = 0
        # In the seed round no other model can label docs.
        teaches = number == 0 and self.mixing.needs_teacher(self.mixers, number, pool)
        if teaches or self.fitting.goes_on(number):
            with clock("train"):
                first, steps_first = self.fitting.first(number, labelled, dev, seed, start)
        with clock("mix"):
            new = [i for i in queried if i not in pool.held]
            model = partial(self._teacher, number, first)
            mixed, counts = self.mixing(self.mixers, number, pool, new, model)
            if mixed:
                write_docs(mixed, self.folder.mixed(number))
            if counts and counts.thrown_out:
                write_docs(counts.thrown_out, self.folder.rejected(number))
        del first, model
        added = self.mixing.added(self.mixed, mixed, labelled)
        docs = [*labelled, *added]
        with clock("train"):
            nlp, steps = self.fitting.last(number, docs, dev, seed, start, steps_first)
        with clock("evaluate"):
            scores = {"dev": self._evaluate(nlp, dev)} if dev else {}
            if self.test is not None:
                scores["test"] = self._evaluate(nlp, self.test)
            agreed = self.agreeing.fields(number, pool, nlp, self._last_model)
        with clock("save"), self._bar(None, "Saving"):
            save_model(nlp, self.folder.model(number))
        if self.committee is not None and self.active.has_round(number + 1) and pool.unlabelled:
            with clock("committee"):  # for the query of the next round
                self.committee.train(
                    number,
                    lambda seed, start: self.fitting.member(
                        number, labelled, docs, dev, seed, start, steps_first
                    ),
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
            steps=steps_first + steps,
            scores=scores,
            seconds=Seconds(**{name: round(s, 2) for name, s in clock.seconds.items()}),
            seconds_mixing=MixingSeconds(**counts.seconds()) if counts else None,
            end=end_of(number, self.active.n_rounds, pool.unlabelled),
            **self.dev.fields(pool, queried),
            **self.labelling.fields(pool, queried, self.records),
            **agreed,
        )
        self.folder.append(self.records, record)
        self.pool, self.nlp = pool, nlp
        self.mixed.append(mixed)
        del nlp
        release_memory()
        self.folder.tidy(number, self.active.keep_models)
        return True

    def _query(self, number: int) -> Query:
        return Query(
            number=number,
            pool=self.pool,
            active=self.active,
            policy=self.policy,
            committee=self.committee,
            candidates=self.dev.candidates,
            folder=self.folder,
            blank=self.blank,
            model=self._last_model,
            bar=self._bar,
            ray=self.ray,
        )

    def _teacher(self, number: int, first: Language | None) -> Language | None:
        """The model of the round's first training, or of the last round."""
        return self._last_model() if first is None and number else first

    def _is_warm(self, number: int) -> bool:
        return self.active.start == "warm" and number > 0

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
