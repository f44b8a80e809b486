"""The [active] section of a config, checked and built. No data is read."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PositiveInt,
)

from ..config import (
    Seed,
)
from ..mixing.mixer import Mixer
from ..query.policies import QueryPolicy
from ..types import Oracle

T = TypeVar("T")


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str | Path) else value


Paths: TypeAlias = Annotated[list[Path], BeforeValidator(_as_list), Field(min_length=1)]
# How ``precision.matmul_precision`` multiplies.
Precision: TypeAlias = Literal["highest", "high", "medium", "bfloat16"]
# Beyond these a number is a slip of the pen, and what follows from it would not fit in memory.
MAX_ROUNDS, MAX_EPOCHS, MAX_MEMBERS = 10_000, 100_000.0, 1000
Steps: TypeAlias = Annotated[int, Field(gt=0, le=10**9)]
MoreEpochs: TypeAlias = Annotated[float, Field(ge=0, le=MAX_EPOCHS)]
# Where people label: the threshold of near-duplicates, and the texts that models are compared on.
DUPLICATES, AGREEMENT = 0.8, 200
# The fields that are registered functions, or sections of them.
FUNCTIONS = ("policy", "oracle", "mixing")


class CommitteeSchema(BaseModel):
    """The members of the committee, for policies that need one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    members: int = Field(
        default=3,
        ge=2,
        le=MAX_MEMBERS,
        description="Members C; the first is the round's own model. At least 2.",
    )
    kind: Literal["seeds", "dropout"] = Field(
        default="seeds",
        description="Models trained from different seeds (C times the training), or passes of one "
        "model with dropout switched on (C times the scoring).",
    )
    dropout: float = Field(
        default=0.1, gt=0, lt=1, description="Dropout rate of the passes, for the kind dropout."
    )


class SeedModelSchema(BaseModel):
    """The pipeline that suggests labels in the seed round."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        description="A pipeline: a package, a folder, or a config (.cfg) as spacy assemble takes."
    )
    labels: dict[str, str] | None = Field(
        None,
        description='Labels of the pipeline and what they are called here, as {"PERSON": "PER"}; '
        "all others are left out. null keeps all as they are.",
    )


class ActiveSchema(BaseModel):
    """Every setting of a run; ``docs/active.md`` is written from these descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    extends: Path | None = Field(
        None,
        description="Config that this one extends, relative to this file; null when this file has "
        "the training sections itself.",
    )
    pool: Paths = Field(
        description="The texts to choose from: docs (.spacy), a text a line (.txt), or JSON lines "
        'with the key "text" (.jsonl), whose other keys are kept, or rows with the column "text" '
        '(.parquet), whose other columns are kept. A file, a pattern such as "texts/*.jsonl", a '
        "folder, or a list of these. Only the gold oracle needs labelled docs.",
    )
    dev: Path | None = Field(
        None,
        description="Docs to evaluate each round on, and to choose models with; null to set aside "
        "a share of what is labelled.",
    )
    dev_share: float = Field(
        0.2,
        gt=0,
        le=0.5,
        description="Without dev, the share of the texts that are set aside, drawn at random: they "
        "are labelled, and nothing trains on them, nor on "
        "copies of them.",
    )
    dev_min: PositiveInt = Field(
        30, description="Without dev, there are no scores before so many docs are set aside."
    )
    test: Path | None = Field(
        None, description="Docs for a second evaluation; nothing is tuned on them."
    )
    pool_size: PositiveInt | None = Field(
        None, description="Use a random sample of this many docs of the pool; null for all."
    )
    seed: Seed = Field(
        0,
        description="Seed of the seed set, the queries and the mixing. A round trains with seed + "
        "its number.",
    )
    n_seed: PositiveInt = Field(description="Docs labelled before the first round.")
    first: Literal["random", "diverse"] = Field(
        "random",
        description="The seed set: a random sample, or one doc of each of n_seed clusters of the "
        "pool.",
    )
    seed_model: SeedModelSchema | None = Field(
        None,
        description="name, labels: a pipeline that suggests labels in the seed round; null for "
        "none.",
    )
    n_query: PositiveInt | list[PositiveInt] = Field(
        description="Docs queried in each further round, or in each of them in turn."
    )
    n_rounds: int | None = Field(
        ge=0,
        le=MAX_ROUNDS,
        description="Rounds after the seed round; null to go on until the pool is exhausted.",
    )
    score_size: PositiveInt | None = Field(
        None,
        description="Score a random sample of this many texts in each round, and take the words of "
        "token tables from as many; null for all.",
    )
    duplicates: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Do not ask a text whose similarity to one that was asked reaches this number; "
        f"null to compare none. If it is not given, {DUPLICATES} where people label, and null with "
        "the gold oracle.",
    )
    agreement_size: PositiveInt | None = Field(
        None,
        description="Compare the predictions of successive models on this many texts; null for "
        f"no comparison. If it is not given, {AGREEMENT} where people label, and null with the "
        "gold oracle.",
    )
    component: str = Field(
        "seqmix_ner",
        description="The component that is trained, and whose probabilities the policy scores.",
    )
    epochs: float = Field(
        10.0,
        gt=0,
        le=MAX_EPOCHS,
        description="Passes over each round's training set, mixed docs included; the batcher "
        "decides how many steps these are.",
    )
    second_epochs: MoreEpochs | Annotated[list[MoreEpochs], Field(min_length=1)] = Field(
        0.0,
        description="Train a round twice: on labelled docs alone, and then the same model for so "
        "many further passes with the mixed docs; 0 trains once, on all of them. One number for "
        "all rounds, or one for each; the last holds for later rounds.",
    )
    max_steps: Steps | list[Steps] | None = Field(
        None,
        description="Optimiser steps of every round, or of each in turn; overrides epochs, so "
        "that runs can be compared at equal steps. At least 2. Two trainings share them as epochs "
        "and second_epochs say.",
    )
    start: Literal["cold", "warm"] = Field(
        "cold", description="Train each round from the pretrained encoder, or from the last model."
    )
    mix_set: Literal["round", "all", "pool"] = Field(
        "round",
        description="Mix the newly labelled docs (the paper), all labelled docs, or the unlabelled "
        "docs with the labels that the last model predicts.",
    )
    unlabelled: Path | None = Field(
        None,
        description='More docs (.spacy) for mix_set = "pool", besides the rest of the pool; their '
        "annotation is ignored.",
    )
    unlabelled_size: PositiveInt | None = Field(
        None,
        description="Use a random sample of this many docs of unlabelled; null for all.",
    )
    select_model: Literal["last", "best"] = Field(
        "last", description="Keep each round's last model (the paper), or its best on dev."
    )
    keep_models: Literal["last", "all"] = Field(
        "last", description="Keep the last finished round's model, or every round's."
    )
    matmul_precision: Precision = Field(
        "highest",
        description="How torch multiplies float32 matrices. high: in TensorFloat-32; medium: in "
        "bfloat16; both only where the device is faster with it. bfloat16: medium, and torch's "
        "autocast on the CPU, which rounds all factors to bfloat16.",
    )
    policy: InstanceOf[QueryPolicy] = Field(
        description="Query policy, for example spacy-seqmix.NTE.v1."
    )
    diversity: bool = Field(
        False,
        description="Query docs that are unlike each other: of the ten times as many that the "
        "policy wants most, the best of each cluster.",
    )
    committee: CommitteeSchema = Field(
        default_factory=CommitteeSchema,
        description="members, kind, dropout; used where the policy needs a committee.",
    )
    oracle: InstanceOf[Oracle] = Field(
        description="What labels the docs, for example spacy-seqmix.GoldOracle.v1."
    )
    mixing: list[InstanceOf[Mixer]] = Field(
        [],
        description="strategy, realiser, discriminator, rate, labels, or several sections of this "
        "kind with names of your own; null for no mixing.",
    )

    @property
    def near_duplicates(self) -> float | None:
        """The threshold from which texts are near-duplicates; None to compare none."""
        return self._of_people("duplicates", DUPLICATES)

    @property
    def n_agreement(self) -> int | None:
        """How many texts successive models are compared on; None for no comparison."""
        return self._of_people("agreement_size", AGREEMENT)

    def _of_people(self, field: str, default: T) -> T | None:
        if field in self.model_fields_set:
            value: T | None = getattr(self, field)
            return value
        return None if self.oracle.needs_gold else default

    def has_round(self, number: int) -> bool:
        """Whether there is a round with this number, if the pool lasts."""
        return self.n_rounds is None or number <= self.n_rounds

    def n_new(self, number: int) -> int:
        """How many docs a round labels, the seed round among them."""
        if number == 0:
            return self.n_seed
        return self.n_query[number - 1] if isinstance(self.n_query, list) else self.n_query

    def second_epochs_of(self, number: int) -> float:
        """The passes of a round's second training, 0 where it trains once."""
        if isinstance(self.second_epochs, list):
            return self.second_epochs[min(number, len(self.second_epochs) - 1)]
        return self.second_epochs

    def steps_of(self, number: int) -> int | None:
        """The fixed number of optimiser steps of a round, None where epochs decide."""
        if isinstance(self.max_steps, list):
            return self.max_steps[number]
        return self.max_steps
