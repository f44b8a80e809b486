"""The [active] section of a config, checked and built. No data is read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    InstanceOf,
    PositiveInt,
    ValidationError,
)
from spacy.tokens import Doc
from thinc.api import Config

from ..config import (
    Seed,
    build_functions,
    interpolated,
    plain_values,
    problems_of,
    unknown_functions,
)
from ..errors import Errors, SeqMixError
from ..mixing.mixer import Mixer
from ..query.policies import QueryPolicy
from ..query.probabilities import check_needs
from ..training.checks import check_mixed_layer
from .fit import check_training_config, without_own_mixing
from .mixing import make_mixers
from .pseudo_labels import check_config_can_label

DocOracle: TypeAlias = Callable[[Sequence[Doc]], list[Doc]]
# How ``precision.matmul_precision`` multiplies.
Precision: TypeAlias = Literal["highest", "high", "medium", "bfloat16"]
# Beyond these a number is a slip of the pen, and what follows from it would not fit in memory.
MAX_ROUNDS, MAX_EPOCHS, MAX_MEMBERS = 10_000, 100_000.0, 1000
Steps: TypeAlias = Annotated[int, Field(gt=0, le=10**9)]
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


class ActiveSchema(BaseModel):
    """Every setting of a run; ``docs/active.md`` is written from these descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    extends: Path | None = Field(
        None,
        description="Config that this one extends, relative to this file; null when this file has "
        "the training sections itself.",
    )
    pool: Path = Field(description="Labelled docs (.spacy) that stand in for the unlabelled pool.")
    dev: Path = Field(description="Docs to evaluate each round on, and to choose models with.")
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
    n_query: PositiveInt | list[PositiveInt] = Field(
        description="Docs queried in each further round, or in each of them in turn."
    )
    n_rounds: int = Field(ge=0, le=MAX_ROUNDS, description="Rounds after the seed round.")
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
    max_steps: Steps | list[Steps] | None = Field(
        None,
        description="Optimiser steps of every round, or of each in turn; overrides epochs, so "
        "that runs can be compared at equal steps. At least 2.",
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
    committee: CommitteeSchema = Field(
        default_factory=CommitteeSchema,
        description="members, kind, dropout; used where the policy needs a committee.",
    )
    oracle: DocOracle = Field(
        description="What labels the docs, for example spacy-seqmix.GoldOracle.v1."
    )
    mixing: list[InstanceOf[Mixer]] = Field(
        [],
        description="strategy, realiser, discriminator, rate, labels, or several sections of this "
        "kind with names of your own; null for no mixing.",
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


@dataclass(frozen=True)
class ActiveConfig:
    """What a config with [active] says.

    active (ActiveSchema): the section, its registered functions built.
    training (Config): the training sections, interpolated.
    """

    active: ActiveSchema
    training: Config

    @property
    def policy(self) -> QueryPolicy:
        """The query policy."""
        return self.active.policy

    @property
    def mixers(self) -> list[Mixer]:
        """The mixers with a rate above 0."""
        return self.active.mixing

    @property
    def of_pool(self) -> bool:
        """Whether unlabelled docs are mixed."""
        return bool(self.mixers) and self.active.mix_set == "pool"


def read_active_config(config: Config) -> ActiveConfig:
    """Check a config with the sections of a training config and [active]; no data is read.

    RAISES (SeqMixError): S402, S408 and those of its parts, see ``errors.py``.
    """
    plain = interpolated(config.copy())
    active = read_active_section(plain)
    training = Config({k: v for k, v in plain.items() if k not in ("active", "augment")})
    # What training logs, the loop sets itself.
    used = {k: {**v, "logger": None} if k == "training" else v for k, v in training.items()}
    if problems := [*plain_values(used, "", ours=True), *unknown_functions(used)]:
        raise SeqMixError(Errors.E408.format(reason="; ".join(problems)))
    check_training_config(training, active.component)
    training = without_own_mixing(training)
    check_needs(active.policy.needs, training, active.component)
    whole = ActiveConfig(active, training)
    if whole.of_pool:
        check_config_can_label(training, active.component)
    for mixer in whole.mixers:
        check_mixed_layer(
            mixer.strategy,
            training,
            active.component,
            labels=mixer.labels,
            soft_parents=whole.of_pool,
        )
    return whole


def read_active_section(config: Config) -> ActiveSchema:
    """Check the [active] section of an interpolated config, and build its functions.

    RAISES (SeqMixError): S402 with every field that is wrong, or the code of a function.
    """
    if "active" not in config:
        raise SeqMixError(Errors.E402.format(problems="the section itself is missing"))
    section = config["active"]
    functions = build_functions(section, "active", FUNCTIONS, Errors.E402)
    functions["mixing"] = make_mixers(functions.get("mixing"))
    try:
        active = ActiveSchema.model_validate({**section, **functions})
    except ValidationError as err:
        problems = problems_of(err, "active")
        raise SeqMixError(Errors.E402.format(problems=problems)) from None
    problem = _contradiction(active)
    if problem:
        raise SeqMixError(Errors.E402.format(problems=problem))
    return active


def _contradiction(active: ActiveSchema) -> str:
    """What is wrong with fields that depend on one another; empty where nothing is."""
    steps, n_rounds = active.max_steps, active.n_rounds
    given = steps if isinstance(steps, list) else [steps or 2]
    if any(n < 2 for n in given):
        return "max_steps: at least 2 steps a round"
    if active.mix_set == "pool" and given[0] < 4 and steps is not None:
        return 'max_steps: at least 4 in the seed round, which trains twice with mix_set = "pool"'
    if isinstance(steps, list) and len(steps) != n_rounds + 1:
        return f"max_steps: {n_rounds + 1} numbers for n_rounds = {n_rounds}"
    if active.unlabelled_size is not None and active.unlabelled is None:
        return "unlabelled_size: there are no docs to draw from, set active.unlabelled"
    if isinstance(active.n_query, list) and len(active.n_query) != n_rounds:
        return f"n_query: {n_rounds} numbers for n_rounds = {n_rounds}"
    return ""
