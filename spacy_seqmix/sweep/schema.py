"""The [sweep] section of a config."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from ..config import problems_of
from ..errors import Errors, SeqMixError

Control: TypeAlias = Literal["none", "steps", "replacement", "duplication"]


class SweepSchema(BaseModel):
    """Every setting of a sweep; ``docs/sweep.md`` is written from these descriptions."""

    model_config = ConfigDict(extra="forbid")

    seeds: list[NonNegativeInt] = Field(
        min_length=1,
        description="Each arm runs once a seed. With equal seeds all arms have the same pool and "
        "the same seed set.",
    )
    controls: bool | list[Control] = Field(
        default=False,
        description="Add what every arm that mixes should be compared with: no mixing, no mixing "
        "with the arm's optimiser steps, mention replacement, and copies of docs as they are; or "
        'some of them: "none", "steps", "replacement", "duplication".',
    )
    keep_models: bool = Field(
        default=False, description="Keep the last model of each run; else it is removed."
    )
    arms: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Values by dotted name for each named arm. A value in braces takes the place "
        "of a whole section; null removes it.",
    )
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        default_factory=dict,
        description="Lists of values by dotted name: every arm is run with every combination.",
    )

    @property
    def kinds(self) -> list[Control]:
        """Which controls are added."""
        if isinstance(self.controls, bool):
            return list(get_args(Control)) if self.controls else []
        return self.controls


def read_section(section: Any) -> SweepSchema:
    """Check a [sweep] section. RAISES (SeqMixError): S602 with every field that is wrong."""
    if not isinstance(section, dict):
        raise SeqMixError(Errors.E602.format(problems="the section itself is missing"))
    try:
        found = SweepSchema.model_validate(section)
    except ValidationError as err:
        raise SeqMixError(Errors.E602.format(problems=problems_of(err))) from None
    if len(set(found.seeds)) < len(found.seeds):
        raise SeqMixError(Errors.E602.format(problems="seeds: each only once"))
    named = {name for values in (found.grid, *found.arms.values()) for name in values}
    if named & {"active.seed", "active.extends"}:
        problems = "arms share active.extends, and their seeds are those of sweep.seeds"
        raise SeqMixError(Errors.E602.format(problems=problems))
    return found
