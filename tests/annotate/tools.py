"""What annotation tools write, for tests: each takes a file of tasks and what a person says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

SKIPPED = "skipped"


class Said(NamedTuple):
    """What a person says of a text: (start, end, label) in code points, or that it is skipped."""

    spans: list[tuple[int, int, str]]
    skipped: bool = False


# By key; texts without one are not labelled yet.
Given = Mapping[str, Said]


def utf16(text: str, offset: int) -> int:
    return len(text[:offset].encode("utf-16-le")) // 2


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf8").split("\n") if line.strip()]


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf8")
    return path


def label_studio(tasks: Path, said: Given) -> Path:
    out = []
    for number, task in enumerate(json.loads(tasks.read_text("utf8")), start=1):
        text, answer = task["data"]["text"], said.get(task["data"]["seqmix_key"])
        annotations = []
        if answer is not None:
            results = [
                {
                    "id": f"r{i}",
                    "from_name": "label",
                    "to_name": "text",
                    "origin": "manual",
                    "type": "labels",
                    "value": {"start": a, "end": b, "text": text[a:b], "labels": [label]},
                }
                for i, (a, b, label) in enumerate(answer.spans)
            ]
            annotations = [
                {
                    "id": number,
                    "completed_by": 1,
                    "result": [] if answer.skipped else results,
                    "was_cancelled": answer.skipped,
                    "ground_truth": False,
                    "created_at": "2026-01-02T10:00:00.000000Z",
                    "updated_at": "2026-01-02T10:00:00.000000Z",
                    "draft_created_at": None,
                    "lead_time": 4.5,
                    "prediction": (task.get("predictions") or [{}])[0],
                    "result_count": 0,
                    "unique_id": "7f0c",
                    "import_id": None,
                    "last_action": None,
                    "bulk_created": False,
                    "task": number,
                    "project": 1,
                    "updated_by": 1,
                    "parent_prediction": None,
                    "parent_annotation": None,
                    "last_created_by": None,
                }
            ]
        out.append(
            {
                "id": number,
                "annotations": annotations,
                "file_upload": "tasks.json",
                "drafts": [],
                "predictions": [],
                "data": task["data"],
                "meta": task["meta"],
                "created_at": "2026-01-02T09:00:00.000000Z",
                "updated_at": "2026-01-02T10:00:00.000000Z",
                "inner_id": number,
                "total_annotations": int(bool(annotations)),
                "cancelled_annotations": 0,
                "total_predictions": 0,
                "comment_count": 0,
                "unresolved_comment_count": 0,
                "last_comment_updated_at": None,
                "project": 1,
                "updated_by": 1,
                "comment_authors": [],
            }
        )
    path = tasks.with_name("project-1-export.json")
    path.write_text(json.dumps(out, ensure_ascii=False), "utf8")
    return path


def prodigy(tasks: Path, said: Given) -> Path:
    rows = []
    for number, task in enumerate(lines(tasks)):
        answer = said.get(task["seqmix_key"])
        if answer is None:  # db-out has answers only
            continue
        starts = {token["start"]: token["id"] for token in task["tokens"]}
        ends = {token["end"]: token["id"] for token in task["tokens"]}
        spans = [
            {"start": a, "end": b, "token_start": starts[a], "token_end": ends[b], "label": label}
            for a, b, label in answer.spans
        ]
        own = {"_input_hash": number, "_task_hash": -number, "_is_binary": False}
        own |= {"_view_id": "ner_manual", "answer": "ignore" if answer.skipped else "accept"}
        own |= {"_timestamp": 1767348000 + number, "_annotator_id": "a-ann", "_session_id": "a-ann"}
        rows.append({**task, "spans": spans, **own})
    return write_lines(tasks.with_name("annotations.jsonl"), rows)


def doccano(tasks: Path, said: Given) -> Path:
    rows = []
    for number, task in enumerate(lines(tasks), start=1):
        answer, text = said.get(task["seqmix_key"]), task["text"]
        row = {"id": number, **task}
        if answer is not None:
            row["label"] = [[utf16(text, a), utf16(text, b), label] for a, b, label in answer.spans]
        rows.append({**row, "Comments": []})
    return write_lines(tasks.with_name("admin.jsonl"), rows)


def brackets(tasks: Path, said: Given) -> Path:
    """An editor: what stands in the lines is labelled already, only the states are written."""
    text = tasks.read_bytes().decode("utf8")
    for key, answer in said.items():
        text = text.replace(f"# todo {key}", f"# {'skip' if answer.skipped else 'done'} {key}")
    path = tasks.with_name("labelled.txt")
    path.write_bytes(text.encode("utf8"))
    return path


def brat(tasks: Path, said: Given) -> Path:
    for key, answer in said.items():
        text = (tasks / f"{key}.txt").read_bytes().decode("utf8")
        ann = tasks / f"{key}.ann"
        rows = [line for line in ann.read_text("utf8").split("\n") if "\tTODO " in line]
        rows = [row.replace("\tTODO ", "\tSKIP ") for row in rows] if answer.skipped else []
        for n, (a, b, label) in enumerate(answer.spans, start=40):
            shown = re.sub(r"\r?\n", " ", text[a:b])
            rows.append(f"T{n}\t{label} {a} {b}\t{shown}")
        ann.write_text("".join(f"{row}\n" for row in rows), "utf8")
    return tasks


def jsonl(tasks: Path, said: Given) -> Path:
    rows = []
    for task in lines(tasks):
        answer = said.get(task["key"])
        if answer is not None:
            task["state"] = "skipped" if answer.skipped else "labelled"
            task["spans"] = [{"start": a, "end": b, "label": n} for a, b, n in answer.spans]
        rows.append(task)
    return write_lines(tasks.with_name("answers.jsonl"), rows)


EXPORTS: dict[str, Callable[[Path, Given], Path]] = {
    "brackets": brackets,
    "label-studio": label_studio,
    "prodigy": prodigy,
    "doccano": doccano,
    "brat": brat,
    "jsonl": jsonl,
}
