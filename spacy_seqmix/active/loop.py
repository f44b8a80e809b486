"""Algorithm 1 of SeqMix: seed, augment, train, evaluate, query, repeat."""

from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import Config
from tqdm import tqdm

from ..errors import Errors
from ..mixing.mix import Mixer, mix_docs
from ..query.probabilities import check_has_probs, copy_tokens, token_probs
from ..query.select import top_k
from .fit import (
    FitSettings,
    check_training_config,
    evaluate,
    fit,
    warn_of_unseen,
)
from .journal import Record, RunFolder, replacing_folder
from .pool import Pool, file_digest, make_pool, read_docs, write_docs
from .schema import ActiveSchema, read_active_section

# Streams of random numbers, one for each purpose and round, so that none depends on another.
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
        RAISES (ValueError): S402 to S408, see ``errors.py``.
        """
        plain = config.copy().interpolate()
        self.active: ActiveSchema = read_active_section(plain)
        self.training = Config({k: v for k, v in plain.items() if k not in ("active", "augment")})
        check_training_config(self.training, self.active.component)
        parts = registry.resolve(
            {k: plain["active"].get(k) for k in ("policy", "oracle", "mixing")}
        )
        self.policy, self.oracle = parts["policy"], parts["oracle"]
        self.mixer = Mixer(**parts["mixing"]) if parts["mixing"] else None
        self.use_gpu, self.progress = use_gpu, progress
        self.blank = spacy.blank(self.training["nlp"]["lang"])
        self.pool = self._read_pool()
        self.dev = read_docs(self.active.dev, self.blank)
        self.test = read_docs(self.active.test, self.blank) if self.active.test else None
        self.folder = RunFolder(Path(run_dir))
        self.records = self.folder.open(config, self._digests())
        self.pool.labelled = [i for record in self.records for i in record["queried"]]
        self.mixed = [self._read_mixed(n) for n in range(len(self.records))]
        self.nlp: Language | None = None

    def run(self) -> list[Record]:
        """Run every round that is not in the journal yet. RETURNS (list): the whole journal."""
        for number in range(len(self.records), self.active.n_rounds + 1):
            if not self.pool.unlabelled:
                break
            self._round(number)
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
        with clock("mix"):
            mixed, counts = self._mix(number, queried)
        labelled = self.pool.take(self.pool.labelled)
        added = mixed if self.active.mix_set == "all" else [*sum(self.mixed, []), *mixed]
        warn_of_unseen(labelled, self.dev, "dev")
        with clock("train"):
            nlp, steps = self._fit(number, [*labelled, *added])
        with clock("evaluate"):
            scores = {"dev": evaluate(nlp, self.dev)}
            if self.test is not None:
                scores["test"] = evaluate(nlp, self.test)
        with clock("save"):
            save_model(nlp, self.folder.model(number))
        record = {
            "round": number,
            "queried": queried,
            "n_labelled": len(labelled),
            "n_mixed": len(added),
            "n_mixed_new": len(mixed),
            "mixing": counts,
            "steps": steps,
            "scores": scores,
            "seconds": {name: round(s, 2) for name, s in clock.seconds.items()},
            "seconds_mixing": self._mixing_seconds,
        }
        self.folder.append(self.records, record)
        self.folder.tidy(number, self.active.keep_models)
        self.mixed.append(mixed)
        self.nlp = nlp

    def _query(self, number: int) -> list[int]:
        """The ids to label next: a random seed set, then what the policy wants most."""
        pool = self.pool.unlabelled
        if number == 0:
            order = self._rng(SEED_SET, 0).permutation(len(pool))
            return [pool[int(i)] for i in order[: self.active.n_seed]]
        rng = self._rng(QUERY, number)
        probs: list[Any] = [np.zeros((0, 1), dtype="float32")] * len(pool)
        if self.policy.needs_probs:
            docs = self.pool.take(pool)
            with tqdm(
                total=len(docs), desc="Scoring", leave=False, disable=not self.progress
            ) as bar:
                probs = token_probs(
                    self._last_model(), self.active.component, docs, progress=bar.update
                )
        return top_k(self.policy(probs, rng), pool, self.active.n_query, rng)

    def _mix(self, number: int, queried: Sequence[int]) -> tuple[list[Doc], dict[str, int] | None]:
        """Mix the round's labelled docs (or all), and store what comes out."""
        self._mixing_seconds: dict[str, float] | None = None
        if self.mixer is None:
            return [], None
        ids = queried if self.active.mix_set == "round" else self.pool.labelled
        # Words of the whole pool may be used, but not its labels.
        words = [copy_tokens(doc, self.blank) for doc in self.pool.docs.values()]
        trained = self._last_model() if number else None
        total = round(self.mixer.rate * len(ids))
        with tqdm(total=total, desc="Mixing", leave=False, disable=not self.progress) as bar:
            mixed, counts = mix_docs(
                self.pool.take(ids),
                self.mixer,
                self._rng(MIXING, number),
                self.blank,
                corpus=words,
                trained=trained,
                progress=bar.update,
            )
        write_docs(mixed, self.folder.mixed(number))
        self._mixing_seconds = {
            "table": round(counts.seconds_table, 2),
            "mixing": round(counts.seconds_mixing, 2),
            "lm": round(counts.seconds_lm, 2),
        }
        return mixed, counts.counts()

    def _fit(self, number: int, docs: Sequence[Doc]) -> tuple[Language, int]:
        warm = self.active.start == "warm" and number > 0
        settings = FitSettings(
            component=self.active.component,
            seed=self.active.seed + number,
            steps=self.active.steps_of(number),
            epochs=self.active.epochs,
            best=self.active.select_model == "best",
            use_gpu=self.use_gpu,
            progress=self.progress,
        )
        start = self.folder.model(number - 1) if warm else None
        nlp, steps = fit(self.training, docs, self.dev, self.folder.work(""), settings, start)
        if self.policy.needs_probs:
            check_has_probs(nlp, self.active.component)
        return nlp, steps

    def _last_model(self) -> Language:
        if self.nlp is None:
            self.nlp = spacy.load(self.folder.model(len(self.records) - 1))
        return self.nlp

    def _read_pool(self) -> Pool:
        active = self.active
        docs = read_docs(active.pool, self.blank)
        return make_pool(docs, active.pool_size, active.n_seed, active.seed, active.pool)

    def _read_mixed(self, number: int) -> list[Doc]:
        if self.mixer is None:
            return []
        kept = self.records[number]["n_mixed_new"]
        if not kept:
            return []
        return read_docs(self.folder.mixed(number), self.blank, need_entities=False)

    def _digests(self) -> dict[str, str]:
        files = {"pool": self.active.pool, "dev": self.active.dev, "test": self.active.test}
        return {name: file_digest(path) for name, path in files.items() if path is not None}

    def _rng(self, purpose: int, number: int) -> np.random.Generator:
        return np.random.default_rng([self.active.seed, purpose, number])


class Clock:
    """Seconds by phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, phase: str) -> Any:
        began = perf_counter()
        yield
        self.seconds[phase] = perf_counter() - began


def save_model(nlp: Language, path: Path) -> None:
    """Write a pipeline, whole or not at all."""
    with replacing_folder(path) as temporary:
        nlp.to_disk(temporary)


def load_config(path: Path, overrides: dict[str, Any]) -> Config:
    """Read a config with an [active] or [augment] section, laid over its training config.

    path (Path): the config file. ``[active] training`` names another one, relative to it, whose
        sections this file's are laid over.
    overrides (dict): values by dotted name; they win over both files.
    RETURNS (Config): not interpolated.
    RAISES (ValueError): S410 when a file cannot be read or an override names no field.
    """
    try:
        config = Config().from_disk(path, interpolate=False)
        base = config.get("active", {}).get("training")
        if base is not None:
            base_path = path.parent / base
            config = Config().from_disk(base_path, interpolate=False).merge(config)
        return Config().from_str(config.to_str(), overrides=overrides, interpolate=False)
    except (OSError, ValueError) as err:
        raise ValueError(Errors.E410.format(path=path, reason=str(err).strip())) from err
