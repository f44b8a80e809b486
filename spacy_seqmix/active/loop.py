"""Algorithm 1 of SeqMix: seed, augment, train, evaluate, query, repeat."""

import gc
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training.initialize import load_vectors_into_model
from thinc.api import Config
from tqdm import tqdm

from ..docbin import read_docs, write_docs
from ..mixing.mix import MixCounts
from ..mixing.origin import by_key, parent_keys
from ..query.evidence import check_evidence, evidence, score_docs
from ..query.probabilities import copy_tokens
from ..query.select import top_k
from .annotation import gold_labels
from .asked import read_active_config
from .clock import Clock
from .committee import Committee, save_model
from .data import digests, read_data
from .fit import FitSettings, fit, warn_of_unseen
from .journal import Record, RunFolder, disk_errors
from .mixing import mix_round
from .precision import matmul_precision
from .pseudo_labels import pseudo_labelled
from .scores import evaluate

# Streams of random numbers, one for each purpose and round, so that none depends on another (1 is
# the pool's, 5 the committee's, and 6 that of unlabelled docs).
SEED_SET, QUERY, MIXING = 2, 3, 4


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
        self.asked = asked = read_active_config(config)
        self.active, self.training = asked.active, asked.training
        self.policy, self.oracle, self.mixers = asked.policy, asked.oracle, asked.mixers
        self.use_gpu, self.progress = use_gpu, progress
        self.blank = spacy.blank(self.training["nlp"]["lang"])
        vectors = self.training.get("initialize", {}).get("vectors")
        if vectors and self.mixers:  # a token table may be made of them
            load_vectors_into_model(self.blank, vectors)
        self.labels_of = gold_labels(self.training["components"].get(self.active.component, {}))
        data = read_data(asked, self.blank, self.labels_of)
        self.pool, self.dev, self.test, self.unlabelled = data
        self.folder = RunFolder(Path(run_dir))
        self.committee: Committee | None = None
        if self.policy.needs == "committee":
            settings, component = self.active.committee, self.active.component
            self.committee = Committee(settings, component, self.active.seed, self.folder)
        with disk_errors():
            self.records = self.folder.open(config, digests(asked))
        self.pool.labelled = [i for record in self.records for i in record["queried"]]
        self.mixed = [self._read_mixed(n) for n in range(len(self.records))]
        self.nlp: Language | None = None

    def run(self) -> list[Record]:
        """Run every round that is not in the journal yet.

        A round that fails leaves the folder as it was before.

        RETURNS (list): the whole journal.
        RAISES (ValueError, OSError): S220, S409, S411, S412 and others.
        """
        with self.folder.lock(), matmul_precision(self.active.matmul_precision):
            return self._run()

    def _run(self) -> list[Record]:
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
        return self.records

    def _round(self, number: int) -> None:
        clock = Clock()
        with clock("query"):
            queried = self._query(number)
        with clock("annotate"):
            answers = self.oracle(self.pool.take(queried))
        for i, doc in zip(queried, answers, strict=True):
            self.pool.docs[i] = doc
        self.pool.labelled += queried
        labelled = self.pool.take(self.pool.labelled)
        warn_of_unseen(labelled, self.dev, "dev", self.labels_of)
        start = self._last_path() if self._is_warm(number) else None
        wanted = self.active.steps_of(number)
        steps_teacher = 0
        if number == 0 and self._mixes_pool(number):
            # No model is there yet to label docs. It takes half of the steps, if these are fixed.
            half = wanted // 2 if wanted else None
            with clock("train"):
                self.nlp, steps_teacher = self._fit(number, labelled, self.active.seed, start, half)
            wanted = wanted - half if wanted and half else None
        with clock("mix"):
            mixed, counts = self._mix(number, queried)
            if mixed:
                write_docs(mixed, self.folder.mixed(number))
            if counts and counts.thrown_out:
                write_docs(counts.thrown_out, self.folder.rejected(number))
        counting = [*self.mixed, mixed] if self.active.mix_set == "round" else [mixed]
        added = [doc for docs in counting for doc in docs]
        docs = [*labelled, *added]
        with clock("train"):
            nlp, steps = self._fit(number, docs, self.active.seed + number, start, wanted)
        with clock("evaluate"):
            scores = {"dev": evaluate(nlp, self.dev, self.active.component)}
            if self.test is not None:
                scores["test"] = evaluate(nlp, self.test, self.active.component)
        with clock("save"):
            save_model(nlp, self.folder.model(number))
        if self.committee is not None and number < self.active.n_rounds and self.pool.unlabelled:
            with clock("committee"):  # for the query of the next round
                self.committee.train(
                    number,
                    lambda seed, start: self._fit(number, docs, seed, start, wanted)[0],
                    warm=self._is_warm(number),
                )
        record = {
            "round": number,
            "queried": queried,
            "n_labelled": len(labelled),
            "n_mixed": len(added),
            "n_mixed_new": len(mixed),
            "queried_tokens": [len(doc) for doc in answers],
            "queried_entities": [len(doc.ents) for doc in answers],
            "mixing": counts.counts() if counts else None,
            "judged": [list(one) for one in counts.judged] if counts else None,
            "steps": steps_teacher + steps,
            "scores": scores,
            "seconds": {name: round(s, 2) for name, s in clock.seconds.items()},
            "seconds_mixing": counts.seconds() if counts else None,
        }
        self.folder.append(self.records, record)
        self.folder.tidy(number, self.active.keep_models)
        self.mixed.append(mixed)
        self.nlp = nlp
        del nlp
        # The pipeline of the round before hangs in reference cycles, with its encoder.
        gc.collect()

    def _query(self, number: int) -> list[int]:
        """The ids to label next: a random seed set, then what the policy wants most."""
        pool = self.pool.unlabelled
        if number == 0:
            order = self._rng(SEED_SET, 0).permutation(len(pool))
            return [pool[int(i)] for i in order[: self.active.n_new(number)]]
        rng = self._rng(QUERY, number)
        docs = self.pool.take(pool)
        passes = self.active.committee.members if self.committee is not None else 1
        with tqdm(
            total=passes * len(docs), desc="Scoring", leave=False, disable=not self.progress
        ) as bar:
            scores = score_docs(self.policy, docs, partial(self._ask, progress=bar.update), rng)
        return top_k(scores, pool, self.active.n_new(number), rng)

    def _ask(self, docs: Sequence[Doc], progress: Callable[[int], object]) -> Any:
        """What the policy needs to know of these docs."""
        if self.policy.needs == "nothing":
            return docs
        nlp = self._last_model()
        if self.committee is not None:
            return self.committee.probs(len(self.records) - 1, nlp, docs, progress)
        return evidence(self.policy.needs, nlp, self.active.component, docs, progress)

    def _mixes_pool(self, number: int) -> bool:
        """Whether a round mixes docs with labels of a model."""
        some = bool(self.pool.unlabelled or self.unlabelled)
        return self.asked.of_pool and some and any(m.rate_at(number) for m in self.mixers)

    def _mix(self, number: int, queried: Sequence[int]) -> tuple[list[Doc], MixCounts | None]:
        """Mix the docs of ``mix_set``, if there are any."""
        if not self.mixers or (self.asked.of_pool and not self._mixes_pool(number)):
            return [], None
        docs = self._mix_set(queried)
        mixed, counts = mix_round(
            self.mixers,
            docs,
            (self.active.seed, MIXING, number),
            self.blank,
            # Words of the whole pool may be used, but not its labels.
            corpus=[copy_tokens(doc, self.blank) for doc in self.pool.docs.values()],
            trained=self._last_model() if number or self.asked.of_pool else None,
            number=number,
            n_docs=len(self.pool.labelled) if self.asked.of_pool else len(docs),
            progress=self.progress,
        )
        if self.asked.of_pool:  # no file has them with these labels
            keys = {key for doc in (*mixed, *counts.thrown_out) for key in parent_keys(doc)}
            parents = [doc for key, doc in by_key(docs).items() if key in keys]
            write_docs(parents, self.folder.parents(number))
        return mixed, counts

    def _mix_set(self, queried: Sequence[int]) -> list[Doc]:
        """The docs to mix; unlabelled ones with labels of the last model."""
        if self.active.mix_set == "round":
            return self.pool.take(queried)
        if self.active.mix_set == "all":
            return self.pool.take(self.pool.labelled)
        known = {doc.text for doc in self.pool.docs.values()}
        docs = self.pool.take(self.pool.unlabelled)
        docs += [doc for doc in self.unlabelled if doc.text not in known]
        with tqdm(total=len(docs), desc="Labelling", leave=False, disable=not self.progress) as bar:
            component = self.active.component
            return pseudo_labelled(self._last_model(), component, docs, progress=bar.update)

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
        check_evidence(self.policy.needs, nlp, self.active.component)
        if self.committee is not None:
            self.committee.check(nlp)
        return nlp, steps

    def _last_model(self) -> Language:
        if self.nlp is None:
            self.nlp = spacy.load(self._last_path())
        return self.nlp

    def _last_path(self) -> Path:
        return self.folder.trained(len(self.records) - 1)

    def _read_mixed(self, number: int) -> list[Doc]:
        if not self.mixers:
            return []
        kept = self.records[number]["n_mixed_new"]
        if not kept:
            return []
        return read_docs(self.folder.mixed(number), self.blank, need_entities=False)

    def _rng(self, purpose: int, number: int) -> np.random.Generator:
        return np.random.default_rng([self.active.seed, purpose, number])
