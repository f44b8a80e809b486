"""The journal of a run: one line for each finished round, with its one type and one reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    FiniteFloat,
    NonNegativeFloat,
    NonNegativeInt,
    ValidationError,
)

from .. import __version__
from ..errors import Errors, SeqMixError, SeqMixFileError
from ..files import parse_json
from ..types import Judged

# What `spacy seqmix active` exits with where another process holds the run folder. Other errors
# exit with 1.
LOCKED_EXIT_CODE = 12
# And where a round waits for answers.
WAITING_EXIT_CODE = 13
# Why no round follows the last one.
End: TypeAlias = Literal["rounds finished", "pool exhausted"]


class Record(BaseModel):
    """A frozen part of a line. Fields of other versions are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Seconds(Record):
    """The time that each phase of a round took."""

    query: NonNegativeFloat = 0.0
    mix: NonNegativeFloat = 0.0
    train: NonNegativeFloat = 0.0
    committee: NonNegativeFloat = 0.0
    evaluate: NonNegativeFloat = 0.0
    annotate: NonNegativeFloat = 0.0
    save: NonNegativeFloat = 0.0

    @property
    def total(self) -> float:
        """The time of the whole round, without that of people: ``annotate``."""
        return sum(self.model_dump(exclude={"annotate"}).values(), 0.0)


class MixingSeconds(Record):
    """The time that each part of mixing took; ``lm`` is the language model."""

    table: NonNegativeFloat = 0.0
    mixing: NonNegativeFloat = 0.0
    lm: NonNegativeFloat = 0.0


class TypeScores(Record):
    """Precision, recall and F1 of one entity type, 0 to 1."""

    p: FiniteFloat
    r: FiniteFloat
    f: FiniteFloat


class MainScore(Record):
    """The score of a component that is no entity recogniser, by spaCy's name for it."""

    name: str
    value: FiniteFloat | None


class Scores(Record):
    """Scores on one set of docs, 0 to 1; None where nothing sets entities.

    Older journals have neither seqeval's score nor confused types: (gold, predicted, count).
    """

    ents_p: FiniteFloat | None
    ents_r: FiniteFloat | None
    ents_f: FiniteFloat | None
    ents_per_type: dict[str, TypeScores] | None = None
    seqeval_f: FiniteFloat | None = None
    confusion: list[tuple[str, str, NonNegativeInt]] = []
    main: MainScore | None = None

    @property
    def value(self) -> float | None:
        """The score of the trained component: entity F1, unless ``main`` has another."""
        return self.ents_f if self.main is None else self.main.value


class Mixing(Record):
    """The number of docs at each step of mixing; see ``MixCounts``."""

    docs: NonNegativeInt = 0
    eligible: NonNegativeInt
    tried: NonNegativeInt
    repeated: NonNegativeInt = 0
    rejected: NonNegativeInt
    kept: NonNegativeInt


class AgreementRecord(Record):
    """How far a round's model agrees with the last round's on docs of the pool.

    docs (int): how many docs; the same ones in every round.
    agreement (float | None): F1 of one model's spans against the other's; None without any.
    kappa (float | None): Cohen's kappa of the tokens' tags; None where all have the same tag.
    """

    docs: NonNegativeInt
    agreement: FiniteFloat | None
    kappa: FiniteFloat | None


class RoundRecord(Record):
    """A finished round.

    queried (list[int]): the numbers of the newly labelled docs in the pool's file.
    held_out (list[int]): those of them that were set aside for evaluation.
    skipped (list[int]): the numbers of the docs that were skipped in this round.
    dev_docs (int | None): the docs set aside so far, on which "dev" is scored; None where the
        config names a file of them.
    n_labelled, n_mixed (int): the docs that the round trained on.
    n_mixed_new (int): the mixed docs that the round added.
    queried_tokens, queried_entities (list[int]): the sizes of the newly labelled docs.
    judged (list[Judged] | None): the discriminator's verdict on each candidate.
    seconds_of_people (float | None): what they spent on the texts that the round has labelled or
        that they skipped; None where that is not known of all.
    end (str | None): in the last round, why no other follows; None before, and in older journals.
    """

    round: NonNegativeInt
    queried: list[NonNegativeInt]
    held_out: list[NonNegativeInt] = []
    skipped: list[NonNegativeInt] = []
    dev_docs: NonNegativeInt | None = None
    n_labelled: NonNegativeInt
    n_mixed: NonNegativeInt
    n_mixed_new: NonNegativeInt = 0
    queried_tokens: list[NonNegativeInt] = []
    queried_entities: list[NonNegativeInt] = []
    mixing: Mixing | None = None
    judged: list[Judged] | None = None
    agreement: AgreementRecord | None = None
    steps: NonNegativeInt
    scores: dict[str, Scores]
    seconds: Seconds
    seconds_mixing: MixingSeconds | None = None
    seconds_of_people: NonNegativeFloat | None = None
    end: End | None = None

    def score(self, split: str) -> float | None:
        """The component's score on "dev" or "test", 0 to 1; None where there is none."""
        scores = self.scores.get(split)
        return None if scores is None else scores.value

    def line(self) -> str:
        """The record as a line of the journal, without fields that were not set."""
        return self.model_dump_json(exclude_unset=True)


def read_journal(path: Path, name: str | None = None) -> list[RoundRecord]:
    """Read the finished rounds of a run.

    path (Path): the journal; ``inputs.json`` beside it says which version began the run.
    name (str | None): the run's name in messages; by default that of its folder.
    RAISES (SeqMixError): S510 for a journal that can't be read, is damaged, or misses a round.
    """
    name = name or path.parent.name
    try:
        lines = path.read_text("utf8").split("\n")
    except (OSError, UnicodeDecodeError) as err:
        raise SeqMixFileError(Errors.E510.format(name=name, path=path, reason=err)) from err
    records = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            records.append(RoundRecord.model_validate_json(line))
        except ValidationError as err:
            reason = f"line {number}: {first_problem(err)}"
            begun = version_of(path.with_name("inputs.json"))
            if begun not in (None, __version__):
                reason += f" (version {begun} of spacy-seqmix began it, this is {__version__})"
            raise SeqMixError(Errors.E510.format(name=name, path=path, reason=reason)) from err
    if wrong := _contradiction(records):
        raise SeqMixError(Errors.E510.format(name=name, path=path, reason=wrong))
    return records


def _contradiction(records: Sequence[RoundRecord]) -> str | None:
    """What keeps these from being the records of one run."""
    numbers = [record.round for record in records]
    if numbers != list(range(len(records))):
        return f"rounds {numbers} are not 0 to {len(records) - 1}"
    ids = [number for record in records for number in record.queried]
    if len(set(ids)) < len(ids):
        return "it has a doc twice in 'queried'"
    return None


def is_whole(records: Sequence[RoundRecord], n_rounds: int | None) -> bool:
    """Whether a run has ended: all its rounds are there, or its journal says why they are not.

    n_rounds (int | None): the rounds after the seed round that the run was to have.
    """
    finished = n_rounds is not None and len(records) > n_rounds
    return finished or (len(records) > 0 and records[-1].end is not None)


def end_of(number: int, n_rounds: int | None, unlabelled: Sequence[int]) -> End | None:
    """Why no round follows a round; None where one does.

    n_rounds (int | None): None where rounds go on until the pool is exhausted.
    unlabelled (Sequence[int]): the docs of the pool that are left after it.
    """
    if n_rounds is not None and number >= n_rounds:
        return "rounds finished"
    return None if unlabelled else "pool exhausted"


def version_of(inputs: Path) -> str | None:
    """The version of this package that began a run; None where its inputs.json does not say."""
    try:
        version = parse_json(inputs.read_bytes())["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, str) else None


class Clock:
    """Seconds by phase."""

    def __init__(self, tell: Callable[[str], object] | None = None) -> None:
        """tell (Callable | None): called with the name of each phase as it begins."""
        self.seconds: dict[str, float] = {}
        self._tell = tell

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Add the time of a block to a phase, which may have several blocks."""
        if self._tell is not None:
            self._tell(phase)
        began = perf_counter()
        yield
        self.seconds[phase] = self.seconds.get(phase, 0.0) + perf_counter() - began


def first_problem(err: ValidationError) -> str:
    """What is wrong with a line, and in which field."""
    first = err.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
