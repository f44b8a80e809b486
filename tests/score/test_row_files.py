"""Rows of scores as lines of JSON and as Parquet: the same rows, and the same of all commands."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from spacy.tokens import Doc

from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.score import row_files
from spacy_seqmix.score import run as score_run
from spacy_seqmix.score.by_key import read_scores
from spacy_seqmix.score.folder import ScoreFolder, Share
from spacy_seqmix.score.row_files import read_rows, write_rows
from spacy_seqmix.score.run import score_pool
from spacy_seqmix.score.scorer import Wanted

from .test_score import pipeline as pipeline

SPAN = {"start": 0, "end": 3, "label": "PER", "confidence": 0.75}
ROWS = [
    {"key": "0-0a1b2c3d4e", "tokens": 3, "score": 1.5, "perplexity": 2.25, "spans": [SPAN, SPAN]},
    {"key": "1-ffffffffff", "tokens": 0, "score": None, "spans": []},
    {"key": "2-0123456789", "error": "RuntimeError: nö"},
]
SCHEMA = {
    "key": "string",
    "tokens": "int64",
    "score": "double",
    "perplexity": "double",
    "spans": "list<element: struct<start: int64, end: int64, label: string, confidence: double>>",
    "error": "string",
}


def columns_of(path: Path) -> dict[str, str]:
    return {one.name: str(one.type) for one in pq.read_schema(path)}


@pytest.mark.parametrize("name", row_files.FORMATS)
def test_rows_are_read_as_they_were_written(tmp_path, name):
    path = tmp_path / f"rows.{name}"
    write_rows(path, ROWS)
    found = read_rows(path)
    assert found[::2] == ROWS[::2]
    assert found[1].get("score") is None
    assert {**found[1], "score": None} == ROWS[1]
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    write_rows(path, [])
    assert read_rows(path) == []


def test_rows_have_the_same_columns_whatever_was_asked_for(tmp_path):
    for rows in ([], ROWS, [{"key": "0-a", "tokens": 1}]):
        write_rows(tmp_path / "rows.parquet", rows)
        assert columns_of(tmp_path / "rows.parquet") == SCHEMA
        write_rows(tmp_path / "top.parquet", rows, texts=True)
        assert columns_of(tmp_path / "top.parquet") == {**SCHEMA, "text": "string"}


@pytest.mark.parametrize("what", ["cut", "text", "lines", "column", "null"])
def test_rows_that_are_damaged(tmp_path, what):
    path = tmp_path / "rows.parquet"
    write_rows(path, ROWS)
    if what == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    elif what == "text":
        path.write_bytes(b"")
    elif what == "lines":
        write_rows(tmp_path / "rows.jsonl", ROWS)
        (tmp_path / "rows.jsonl").rename(path)
    else:
        pq.write_table(pa.table({"key" if what == "null" else "id": pa.nulls(2)}), path)
    with pytest.raises(SeqMixError, match=r"S767.*rows\.parquet"):
        read_rows(path)


def test_rows_of_parquet_appear_whole_or_not_at_all(tmp_path):
    path = tmp_path / "rows.parquet"
    write_rows(path, ROWS)
    before = path.read_bytes()
    with pytest.raises(pa.ArrowInvalid):
        write_rows(path, [{"key": "0-a", "score": "much"}])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def texts(tmp_path: Path, all_news: list[Doc]) -> Path:
    path = tmp_path / "texts.jsonl"
    lines = (json.dumps({"text": doc.text, "source": i}) for i, doc in enumerate(all_news))
    path.write_text("\n".join(lines), "utf8")
    return path


@pytest.fixture
def as_parquet(texts: Path) -> Path:
    rows = [json.loads(line) for line in texts.read_text("utf8").splitlines()]
    path = texts.with_suffix(".parquet")
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=7)
    return path


def rows_of(out: Path, suffix: str) -> list[dict[str, object]]:
    rows = [row for path in sorted((out / "shards").iterdir()) for row in read_rows(path)]
    assert {path.suffix for path in (out / "shards").iterdir()} == {suffix}
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


def test_score_of_parquet_as_parquet_is_that_of_lines(pipeline, texts, as_parquet, tmp_path):
    wanted = Wanted(str(pipeline), policy="TagCount", spans=True)
    lines, parquet = tmp_path / "lines", tmp_path / "parquet"
    score_pool(wanted, [texts], lines, n_shards=3, top=4, progress=False)
    one = score_pool(
        wanted, [as_parquet], parquet, share=Share(2, 3), format="parquet", progress=False
    )
    assert (one.new, one.done) == (1, 1)
    first = (parquet / "shards" / "00002-of-00003.parquet").stat().st_mtime_ns
    rest = score_pool(
        wanted, [as_parquet], parquet, n_shards=3, top=4, format="parquet", progress=False
    )
    assert (rest.new, rest.done, rest.top) == (2, 3, parquet / "top.parquet")
    assert (parquet / "shards" / "00002-of-00003.parquet").stat().st_mtime_ns == first
    rows = rows_of(parquet, ".parquet")
    assert rows == rows_of(lines, ".jsonl")
    assert any(row["spans"] for row in rows)
    assert read_rows(parquet / "top.parquet") == read_rows(lines / "top.jsonl")
    assert read_scores(parquet) == read_scores(lines)
    assert json.loads((parquet / "score.json").read_text())["format"] == "parquet"
    assert "format" not in json.loads((lines / "score.json").read_text())
    # One that is damaged is named, and computed again once it is removed.
    path = parquet / "shards" / "00001-of-00003.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:-9])
    with pytest.raises(SeqMixError, match=r"S767.*00001-of-00003\.parquet"):
        read_scores(parquet)
    path.unlink()
    assert score_pool(
        wanted, [as_parquet], parquet, n_shards=3, format="parquet", progress=False
    ).new
    assert path.read_bytes() == content


def test_score_folder_belongs_to_its_format(pipeline, texts, tmp_path):
    wanted = Wanted(str(pipeline), policy="NTE")
    for first, other in (("jsonl", "parquet"), ("parquet", "jsonl")):
        out = tmp_path / first
        score_pool(wanted, [texts], out, format=first, progress=False)
        before = sorted(out.rglob("*"))
        with pytest.raises(SeqMixError, match=r"S765.* differ: format\. "):
            score_pool(wanted, [texts], out, format=other, progress=False)
        assert sorted(out.rglob("*")) == before


def test_score_refuses_a_format_that_can_not_be(pipeline, texts, tmp_path, monkeypatch):
    wanted, out = Wanted(str(pipeline), policy="NTE"), tmp_path / "out"
    with pytest.raises(SeqMixError, match=r"S751.*'csv'.*jsonl, parquet"):
        score_pool(wanted, [texts], out, format="csv", progress=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SeqMixError, match=r"S750.*out.*pip install pyarrow"):
        score_pool(wanted, [texts], out, format="parquet", progress=False)
    assert not out.exists()


def test_score_reads_the_shards_that_it_needs(pipeline, texts, tmp_path, monkeypatch):
    """Of the texts that failed, those of the shards of this call are named."""
    wanted, out = Wanted(str(pipeline), policy="NTE"), tmp_path / "out"
    evidence = score_run.Scorer._evidence
    bad = {json.loads(texts.read_text("utf8").splitlines()[i])["text"] for i in (3, 25)}

    def poisoned(self, policy, docs):
        if any(doc.text in bad for doc in docs):
            raise RuntimeError("poisoned")
        return evidence(self, policy, docs)

    read = []
    rows = ScoreFolder.rows
    monkeypatch.setattr(score_run.Scorer, "_evidence", poisoned)
    monkeypatch.setattr(ScoreFolder, "rows", lambda self, n: read.append(n) or rows(self, n))

    def score(share=None):
        read.clear()
        run = score_pool(
            wanted, [texts], out, share=share, n_shards=3, format="parquet", progress=False
        )
        return [str(row["key"]).split("-")[0] for row in run.failed]

    with pytest.warns(UserWarning, match=r"W760.* 1 text: 3-"):
        assert score(Share(1, 3)) == ["3"]
    assert read == []
    assert score(Share(2, 3)) == []
    assert read == []
    with pytest.warns(UserWarning, match=r"W760.* 1 text: 3-"):
        assert score(Share(1, 3)) == ["3"]
    assert read == [0]
    with pytest.warns(UserWarning, match=r"W760.* 2 texts: 3-.*25-"):
        assert score() == ["3", "25"]
    assert read == [0, 1]
