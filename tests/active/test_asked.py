"""The files by which the loop tells what it asks, and what it does."""

import json
import time
from pathlib import Path

import pytest
import spacy

from spacy_seqmix.active.asked import Asked, AskedHeader, AskedText, Status
from spacy_seqmix.types import Suggestion, Task

NLP = spacy.blank("en")
HEADER = AskedHeader(round=2, n=1, policy="spacy-seqmix.NTE.v1", model="round-01", pool=9, scored=5)


def texts() -> tuple[AskedText, ...]:
    doc = NLP.make_doc("Ada 👩‍💻\u2028met Łukasz\t.")
    one = Task("0-a", doc, 2, (Suggestion(0, 1, "PER", 0.5), Suggestion(2, 4, "X")), 1.25)
    other = Task("7-b", NLP.make_doc("Hi"), 2, None, float("-inf"))
    return (
        AskedText.of(one, 0, dev=False, reserve=False),
        AskedText.of(other, 7, dev=True, reserve=True),
    )


def test_asked_round_trip(tmp_path: Path) -> None:
    asked = Asked(HEADER, texts())
    asked.write(tmp_path / "asked.jsonl")
    assert Asked.read(tmp_path / "asked.jsonl") == asked
    lines = (tmp_path / "asked.jsonl").read_text("utf8").split("\n")
    first, second = json.loads(lines[1]), json.loads(lines[2])
    assert json.loads(lines[0])["policy"] == "spacy-seqmix.NTE.v1"
    assert [first["text"][a:b] for a, b in first["tokens"][:2]] == ["Ada", "👩"]
    assert first["suggestions"][0] == [0, 3, "PER", 0.5]
    assert first["suggestions"][1][2:] == ["X", None]
    assert (first["dev"], first["reserve"], first["score"]) == (False, False, 1.25)
    assert (second["suggestions"], second["score"], second["dev"]) == (None, None, True)


@pytest.mark.parametrize("content", [None, "", "{}\n", '{"round": 0, "n": 1, "policy": ""}\n{"k'])
def test_asked_damaged_file_is_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "asked.jsonl").write_text(content)
    assert Asked.read(tmp_path / "asked.jsonl") is None


def test_asked_status_round_trip(tmp_path: Path) -> None:
    assert Status.read(tmp_path / "status.json") is None
    Status.write(tmp_path / "status.json", 3, "wait")
    status = Status.read(tmp_path / "status.json")
    assert status is not None
    assert (status.round, status.phase) == (3, "wait")
    assert 0 <= time.time() - status.since < 3600
