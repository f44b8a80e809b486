"""What a reader needs to run a report's runs again."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TypedDict

from spacy.util import get_package_version

from .arms import Arm

__all__ = ["Facts", "fact_lines", "make_facts"]


class Facts(TypedDict):
    """Title, command, seeds and models of the runs; date and machine of the report."""

    title: str
    command: str
    seeds: list[int]
    date: str
    machine: dict[str, str | int]
    models: list[str]


def make_facts(title: str, command: str, arms: Sequence[Arm]) -> Facts:
    """Gather the facts of a report."""
    runs = [run for arm in arms for run in arm.runs]
    return {
        "title": title,
        "command": command,
        "seeds": sorted({run.seed for run in runs if run.seed is not None}),
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": _machine(),
        "models": sorted({f"{kind} {name}" for run in runs for kind, name in run.models.items()}),
    }


def fact_lines(facts: Facts) -> list[tuple[str, str]]:
    """Name and text of each fact but the title."""
    machine = facts["machine"]
    return [
        ("Command", facts["command"]),
        ("Seeds", ", ".join(map(str, facts["seeds"])) or "not stated"),
        ("Models", "; ".join(facts["models"]) or "not stated"),
        ("Report made", facts["date"]),
        ("On", f"{machine['processor']}, {machine['cores']} cores, {machine['system']}"),
        (
            "With",
            f"Python {machine['python']}, spaCy {machine['spacy']}, torch {machine['torch']}",
        ),
    ]


def _machine() -> dict[str, str | int]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "system": platform.system(),
        "python": platform.python_version(),
        "spacy": get_package_version("spacy") or "not installed",
        "torch": get_package_version("torch") or "not installed",
    }


def _processor() -> str:
    """The processor's model where the system names it, else its architecture."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf8").split("\n"):
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
