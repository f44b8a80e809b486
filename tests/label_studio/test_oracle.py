"""The oracle and a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy

from spacy_seqmix.annotate.label_studio.oracle import make_label_studio_oracle
from spacy_seqmix.annotation.texts import task_key
from spacy_seqmix.types import Answer, Suggestion, Task

from .conftest import ANN, BOB, LabelStudio

NLP = spacy.blank("en")
TEXTS = [
    "Ana 👩‍🚀 left Oslo 🙂.",
    "Skip this.",
    "قال كَرِيم: «أين بغداد؟»",
    "Nobody came.",
    "Ana hired Bo.",
]


def make_tasks(round: int = 1, model: str | None = "round-00") -> list[Task]:
    tasks = []
    for n, text in enumerate(TEXTS):
        doc = NLP.make_doc(text)
        suggestions = None if model is None else (Suggestion(0, 1, "PER", 0.5),)
        tasks.append(Task(task_key(n, text), doc, round, suggestions, n / 10, model))
    return tasks


def span(text: str, part: str, label: str, name: str = "x") -> dict[str, Any]:
    start = text.index(part)
    value = {"start": start, "end": start + len(part), "text": part, "labels": [label]}
    return {"id": name, "from_name": "label", "to_name": "text", "type": "labels", "value": value}


def annotate(
    studio: LabelStudio, number: int, results: list[Any], who: str = ANN, **more: Any
) -> int:
    given = {"result": results, "lead_time": 2.5, **more}
    return int(studio.call("POST", f"tasks/{number}/annotations/", who, json=given)["id"])


def numbers(studio: LabelStudio, project: int) -> dict[str, int]:
    tasks = studio.call("GET", "tasks", params={"project": project, "page_size": 1000})["tasks"]
    return {task["data"]["text"]: task["id"] for task in tasks}


@pytest.fixture
def oracle(studio: LabelStudio, tmp_path: Path, request: pytest.FixtureRequest):
    made = make_label_studio_oracle(
        studio.url, request.node.name[:40], ["PER", "LOC"], ["works_for"], poll=0.0
    )
    made.begin(tmp_path, NLP)
    return made


def ents(answer: Answer) -> list[tuple[str, str]] | None:
    if answer.doc is None:
        return None
    return [(ent.text, ent.label_) for ent in answer.doc.ents]


def test_label_studio_asks_and_reads(studio: LabelStudio, oracle, tmp_path: Path) -> None:
    tasks = make_tasks()
    assert list(oracle(tasks)) == []
    project = oracle._project.id
    assert f"{studio.url}/projects/{project}" in oracle.advise(tasks)
    of = numbers(studio, project)
    assert list(of) == TEXTS
    first, skipped, arabic, empty, related = TEXTS
    annotate(studio, of[first], [span(first, "Ana", "PER"), span(first, "Oslo", "LOC", "y")])
    annotate(studio, of[skipped], [], was_cancelled=True)
    annotate(studio, of[arabic], [span(arabic, "بغداد", "LOC")])
    annotate(studio, of[empty], [])
    both = [span(related, "Ana", "PER", "a"), span(related, "Bo", "PER", "b")]
    relation = {"from_id": "b", "to_id": "a", "type": "relation", "labels": ["works_for"]}
    annotate(studio, of[related], [*both, {**relation, "direction": "right"}], BOB)
    answers = {answer.key: answer for answer in oracle(tasks)}
    found = [ents(answers[task.key]) for task in tasks]
    assert found[0] == [("Ana", "PER"), ("Oslo", "LOC")]
    assert found[1] is None
    assert found[2] == [("بغداد", "LOC")]
    assert found[3] == []
    assert found[4] == [("Ana", "PER"), ("Bo", "PER")]
    assert [answers[task.key].who for task in tasks] == [ANN] * 4 + [BOB]
    assert {answer.seconds for answer in answers.values()} == {2.5}
    assert answers[tasks[0].key].shown == tasks[0].suggestions
    last = answers[tasks[4].key].doc
    assert last is not None
    (one,) = last._.relations
    assert (last[one.head[0]].text, last[one.tail[0]].text, one.label) == ("Bo", "Ana", "works_for")
    assert list(oracle(tasks)) == []  # nothing is new
