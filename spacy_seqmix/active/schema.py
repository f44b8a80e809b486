"""The [active] section of a config."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError
from thinc.api import Config

from ..errors import Errors, SeqMixError

# How ``precision.matmul_precision`` multiplies.
Precision: TypeAlias = Literal["highest", "high", "medium", "bfloat16"]


class CommitteeSchema(BaseModel):
    """Who sits in the committee, where the policy asks one."""

    model_config = ConfigDict(extra="forbid")

    members: int = Field(
        default=3, ge=2, description="Members C; the first is the round's own model. At least 2."
    )
    kind: Literal["seeds", "dropout"] = Field(
        default="seeds",
        description="Models trained from separate seeds (C times the training), or passes of the "
        "one model with dropout switched on (C times the scoring).",
    )
    dropout: float = Field(
        default=0.1, gt=0, lt=1, description="Dropout rate of the passes; of kind dropout only."
    )


class ActiveSchema(BaseModel):
    """Every setting of a run; ``docs/active.md`` is written from these descriptions."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    training: Path | None = Field(
        None,
        description="Training config that this one is laid over, relative to this file; null when "
        "this file has the training sections itself.",
    )
    pool: Path = Field(description="Labelled docs (.spacy) that play the unlabelled pool.")
    dev: Path = Field(description="Docs for evaluation after each round, and for choosing models.")
    test: Path | None = Field(
        None, description="Docs for a second evaluation; nothing is tuned on it."
    )
    pool_size: PositiveInt | None = Field(
        None, description="Use a random sample of this many docs of the pool; null for all."
    )
    seed: int = Field(
        0,
        ge=0,
        description="Of the seed set, the queries and the mixing. Training takes seed + round.",
    )
    n_seed: PositiveInt = Field(description="Docs labelled before the first round.")
    n_query: PositiveInt | list[PositiveInt] = Field(
        description="Docs queried in each further round, or in each of them in turn."
    )
    n_rounds: int = Field(ge=0, description="Rounds after the seed round.")
    component: str = Field(
        "seqmix_ner", description="The component that is trained and asked for probabilities."
    )
    epochs: PositiveFloat = Field(
        10.0,
        description="Passes over each round's training set, mixed docs included; steps follow "
        "from the batcher.",
    )
    max_steps: PositiveInt | list[PositiveInt] | None = Field(
        None,
        description="Optimiser steps of every round, or of each in turn; overrides epochs, so "
        "that runs can be compared at equal steps. At least 2.",
    )
    start: Literal["cold", "warm"] = Field(
        "cold", description="Train each round from the pretrained encoder, or from the last model."
    )
    mix_set: Literal["round", "all", "pool"] = Field(
        "round",
        description="Mix within the newly labelled docs (the paper), within all labelled so far, "
        "or within docs that nobody has labelled yet, with the labels that a model gives them.",
    )
    unlabelled: Path | None = Field(
        None,
        description='Further docs (.spacy) for mix_set = "pool", besides what is left of the '
        "pool; their annotation is not looked at.",
    )
    unlabelled_size: PositiveInt | None = Field(
        None,
        description="Use a random sample of this many docs of unlabelled, drawn by the seed; null "
        "for all.",
    )
    select_model: Literal["last", "best"] = Field(
        "last", description="Keep each round's last model (the paper), or its best on dev."
    )
    keep_models: Literal["last", "all"] = Field(
        "last", description="Keep the last finished round's model, or every round's."
    )
    matmul_precision: Precision = Field(
        "highest",
        description="Of torch's products of float32 matrices: high takes TensorFloat-32, medium "
        "bfloat16, where the processor or the GPU is faster with it; bfloat16 is medium and, on "
        "the CPU, torch's autocast: everything that is multiplied is rounded to bfloat16.",
    )
    policy: Any = Field(description="Query policy, for example spacy-seqmix.NTE.v1.")
    committee: CommitteeSchema = Field(
        default_factory=CommitteeSchema,
        description="members, kind, dropout; only used where the policy needs a committee.",
    )
    oracle: Any = Field(description="Who labels, for example spacy-seqmix.GoldOracle.v1.")
    mixing: Any = Field(
        None,
        description="strategy, realiser, discriminator, rate, labels, or several such sections of "
        "any name; null for no augmentation.",
    )

    def n_new(self, number: int) -> int:
        """How many docs a round labels, the seed round among them."""
        if number == 0:
            return self.n_seed
        return self.n_query[number - 1] if isinstance(self.n_query, list) else self.n_query

    def steps_of(self, number: int) -> int | None:
        """The fixed number of optimiser steps of a round, None where epochs decide."""
        if isinstance(self.max_steps, list):
            return self.max_steps[number]
        return self.max_steps


def read_active_section(config: Config) -> ActiveSchema:
    """Check the [active] section of an interpolated config.

    RAISES (SeqMixError): S402 with every field that is wrong.
    """
    if "active" not in config:
        raise SeqMixError(Errors.E402.format(problems="the section itself is missing"))
    try:
        active = ActiveSchema.model_validate(config["active"])
    except ValidationError as err:
        found = [_problem(".".join(map(str, e["loc"])), e) for e in err.errors()]
        raise SeqMixError(Errors.E402.format(problems="; ".join(found))) from None
    steps = active.max_steps
    given = steps if isinstance(steps, list) else [steps or 2]
    if any(n < 2 for n in given):
        raise SeqMixError(Errors.E402.format(problems="max_steps: at least 2 steps a round"))
    if active.mix_set == "pool" and given[0] < 4 and steps is not None:
        wanted = 'max_steps: at least 4 in the seed round, which trains twice with mix_set = "pool"'
        raise SeqMixError(Errors.E402.format(problems=wanted))
    if isinstance(steps, list) and len(steps) != active.n_rounds + 1:
        wanted = f"max_steps: {active.n_rounds + 1} numbers for n_rounds = {active.n_rounds}"
        raise SeqMixError(Errors.E402.format(problems=wanted))
    if active.unlabelled_size is not None and active.unlabelled is None:
        wanted = "unlabelled_size: there are no docs to draw from, set active.unlabelled"
        raise SeqMixError(Errors.E402.format(problems=wanted))
    if isinstance(active.n_query, list) and len(active.n_query) != active.n_rounds:
        wanted = f"n_query: {active.n_rounds} numbers for n_rounds = {active.n_rounds}"
        raise SeqMixError(Errors.E402.format(problems=wanted))
    return active


def _problem(field: str, error: Mapping[str, Any]) -> str:
    """What is wrong with a field. One that is null was left out, as a rule."""
    if error["input"] is None:
        return f"{field} is not given: set active.{field}, or what it refers to in [paths]"
    return f"{field}: {error['msg']}"
