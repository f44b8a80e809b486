"""What people do in Label Studio, as their browsers send it."""

from __future__ import annotations

from typing import Any

import spacy

from spacy_seqmix.annotation.texts import task_key
from spacy_seqmix.types import Answer, Suggestion, Task

from .conftest import ANN, LabelStudio

NLP = spacy.blank("en")
TEXTS = (
    "Ana 👩‍🚀 left Oslo 🙂.",
    "Skip this.",
    "قال كَرِيم: «أين بغداد؟»",
    "Nobody came.",
    "Ana hired Bo.",
)


def make_tasks(round: int = 1, model: str | None = "round-00") -> list[Task]:
    """Tasks whose first token is suggested, where there is a model."""
    tasks = []
    for n, text in enumerate(TEXTS):
        suggestions = None if model is None else (Suggestion(0, 1, "PER", 0.5),)
        doc = NLP.make_doc(text)
        tasks.append(Task(task_key(n, text), doc, round, suggestions, n / 10, model))
    return tasks


def mark(text: str, part: str, label: str, name: str = "x") -> dict[str, Any]:
    """A part of a text that is marked."""
    start = text.index(part)
    value = {"start": start, "end": start + len(part), "text": part, "labels": [label]}
    return {"id": name, "from_name": "label", "to_name": "text", "type": "labels", "value": value}


def submit(studio: LabelStudio, task: int, results: list[Any], who: str = ANN, **more: Any) -> int:
    """Submit an annotation. RETURNS (int): its number."""
    given = {"result": results, "lead_time": 2.5, **more}
    return int(studio.call("POST", f"tasks/{task}/annotations/", who, json=given)["id"])


def tasks_of(studio: LabelStudio, project: int) -> dict[str, int]:
    """The numbers of a project's tasks, by text."""
    tasks = studio.call("GET", "tasks", params={"project": project, "page_size": 1000})["tasks"]
    return {task["data"]["text"]: task["id"] for task in tasks}


def ents(answer: Answer) -> list[tuple[str, str]] | None:
    """What is marked; None for a text that was skipped."""
    return None if answer.doc is None else [(ent.text, ent.label_) for ent in answer.doc.ents]
