"""Which annotation tool a JSON file comes from, by the keys of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["tool_of"]

# In answers of this package's own format, and what "state" may be in them.
OWN = ("spans", "state")
STATES = ("labelled", "skipped", "not yet")
PRODIGY = ("_view_id", "_input_hash", "_task_hash", "_session_id")


def tool_of(row: Any) -> str | None:
    """The format of ``spacy seqmix ingest`` that a row of a file has; None for another one.

    row (Any): the first value of JSON lines, or a whole JSON file.
    """
    if isinstance(row, list):
        row = row[0] if row else None
        return "label-studio" if isinstance(row, Mapping) and _is_label_studio(row) else None
    if not isinstance(row, Mapping) or not isinstance(row.get("text"), str):
        return None
    if row.get("state") in STATES and ("key" in row or "spans" in row):
        return "jsonl"  # its texts may come from the file of a tool, and have its keys
    if any(key in row for key in PRODIGY) or {"spans", "tokens"} <= row.keys():
        return "prodigy"
    if isinstance(row.get("label", row.get("labels")), list) or _has_offsets(row.get("entities")):
        return "doccano"
    return "jsonl" if any(key in row for key in OWN) else None


def _is_label_studio(row: Mapping[str, Any]) -> bool:
    """Tasks and exports have the texts under "data"; in JSON_MIN each annotation is a row."""
    tasks = isinstance(row.get("data"), Mapping)
    return tasks or {"annotation_id", "annotator"} <= row.keys()


def _has_offsets(entities: Any) -> bool:
    first = entities[0] if isinstance(entities, list) and entities else None
    return isinstance(first, Mapping) and "start_offset" in first
