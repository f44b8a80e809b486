"""The [sweep] section of a config."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..config import Seed, problems_of
from ..errors import Errors, SeqMixError

# Of an arm: the path of a config, beside values by dotted name.
OVERLAY = "overlay"
Control: TypeAlias = Literal["none", "steps", "replacement", "duplication"]


class SweepSchema(BaseModel):
    """Every setting of a sweep; ``docs/sweep.md`` is written from these descriptions."""

    model_config = ConfigDict(extra="forbid")

    seeds: list[Seed] = Field(
        min_length=1,
        description="Each arm runs once with each seed. Runs with the same seed start from the "
        "same pool and the same seed set.",
    )
    controls: bool | list[Control] = Field(
        default=False,
        description="Add the arms that every arm with mixing should be compared with: no mixing, "
        "no mixing with the arm's optimiser steps, mention replacement, and unchanged copies of "
        'docs. Or a list of some of them: "none", "steps", "replacement", "duplication".',
    )
    keep_models: bool = Field(
        default=False, description="Keep the last model of each run; otherwise it is removed."
    )
    arms: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Values by dotted name for each named arm. A value in braces replaces a whole "
        "section; null removes it. `overlay` is the path of a config that is laid over the "
        "sweep's for this arm, relative to the file.",
    )
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        default_factory=dict,
        description="Lists of values by dotted name: every arm runs with every combination.",
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
        settings = SweepSchema.model_validate(section)
    except ValidationError as err:
        raise SeqMixError(Errors.E602.format(problems=problems_of(err))) from None
    problems = []
    if len(set(settings.seeds)) < len(settings.seeds):
        problems.append("seeds: give each only once")
    values = {name for given in (settings.grid, *settings.arms.values()) for name in given}
    if values & {"active.seed", "active.extends"}:
        problems.append("all arms share active.extends, and their seeds are sweep.seeds")
    if OVERLAY in settings.grid:
        problems.append("grid.overlay: give each overlay to a named arm")
    overlays = {name: given.get(OVERLAY, "") for name, given in settings.arms.items()}
    problems += [
        f"arms.{name}.overlay: give the path of a config"
        for name, path in overlays.items()
        if not isinstance(path, str)
    ]
    if problems:
        raise SeqMixError(Errors.E602.format(problems="; ".join(problems)))
    return settings
