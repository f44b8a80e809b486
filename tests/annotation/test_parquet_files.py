"""Parquet files of texts: the same as lines of JSON, whatever their row groups."""

from __future__ import annotations

import datetime
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spacy_seqmix.annotation import indexed_files, parquet_files
from spacy_seqmix.annotation.lazy_docs import lazy_docs
from spacy_seqmix.annotation.parquet_files import ParquetTexts
from spacy_seqmix.annotation.recent import Recent
from spacy_seqmix.annotation.texts import EXTRA_KEY, read_texts
from spacy_seqmix.errors import SeqMixError

ROWS = [
    {"text": "one", "source": 3, "meta": {"page": 1, "tags": ["a", "b"]}},
    {"text": " \n", "source": 4},
    {"text": "zwei é 👩‍🚀", "good": True},
    {"text": ""},
    {"text": "one", "source": 5, "share": 0.25},
    {"text": "four\nlines", "source": 6},
]


def write(path: Path, table: Any, **more: Any) -> Path:
    """Write a table, or a column of texts alone."""
    table = table if isinstance(table, pa.Table) else pa.table({"text": table})
    pq.write_table(table, path, **more)
    return path


def numbered(n: int) -> list[str]:
    return [f"text {i}" for i in range(n)]


@pytest.mark.parametrize("size", [1, 2, 4, 100])
def test_parquet_is_read_as_lines_of_json(tmp_path, blank_en, size, monkeypatch):
    monkeypatch.setattr(parquet_files, "ROWS", 3)
    names = ("source", "meta", "text", "good", "share")
    table = pa.table({name: [row.get(name) for row in ROWS[::-1]] for name in names})
    parquet = write(tmp_path / "A.PARQUET", table, row_group_size=size)
    lines = tmp_path / "a.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in ROWS[::-1]), "utf8")
    docs, expected = lazy_docs([parquet], blank_en), lazy_docs([lines], blank_en)
    assert list(docs) == list(expected) == [0, 1, 3, 5]
    assert docs.files[0].size == expected.files[0].size == 6
    assert [docs.identity(i) for i in docs] == [expected.identity(i) for i in expected]
    for wanted in (list(docs), [5, 0, 5, 3], [3]):
        assert list(docs.texts(wanted)) == list(expected.texts(wanted))
        found = [(doc.text, doc.user_data) for doc in docs.take(wanted)]
        assert found == [(doc.text, doc.user_data) for doc in expected.take(wanted)]
    assert docs[5].user_data[EXTRA_KEY] == {"source": 3, "meta": {"page": 1, "tags": ["a", "b"]}}
    assert docs.packed([5, 1]) == [["one", "one"]]
    assert [(one.number, one.text) for one in read_texts(parquet)] == [
        (one.number, one.text) for one in read_texts(lines)
    ]


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
)
def test_parquet_texts_of_all_types(tmp_path, kind):
    path = write(tmp_path / "a.parquet", pa.array(["a", "b", "a"], pa.string()).cast(kind))
    assert list(ParquetTexts(path).texts()) == ["a", "b", "a"]


def test_parquet_columns_that_json_has_no_values_for(tmp_path):
    table = pa.table(
        {
            "text": ["a"],
            "nanoseconds": pa.array([1], pa.timestamp("ns")),
            "day": [datetime.date(2026, 3, 1)],
            "price": [Decimal("1.50")],
            "picture": [b"\xff"],
            "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
            "days": [[datetime.date(2026, 3, 1)]],
            "nothing": [None],
            "list": [[{"x": 1.5, "y": None}]],
        }
    )
    (row,) = ParquetTexts(write(tmp_path / "a.parquet", table)).take([0], Recent(), extra=True)
    assert row.text == "a"
    assert row.extra == {
        "nanoseconds": "1970-01-01 00:00:00.000000001",
        "day": "2026-03-01",
        "price": "1.50",
        "list": [{"x": 1.5, "y": None}],
    }
    json.dumps(row.extra)


@pytest.mark.parametrize(
    ("table", "found"),
    [
        (
            pa.table({"body": ["a"], "n": [1]}),
            "a.parquet: it needs one column \"text\".*'body', 'n'",
        ),
        (pa.table({"text": [1, 2]}), r"a.parquet: the column \"text\" has .* type int64"),
        (pa.table({"text": [["a"]]}), r"a.parquet: the column \"text\" has .* list<"),
        (pa.table([["a"], ["b"]], ["text", "text"]), "a.parquet: it needs one column"),
        (pa.table({"text": ["a", "b", None]}), r"a.parquet, row 3: the column \"text\" is null"),
        (
            pa.table({"text": pa.array([b"a", b"b\xff"]).view(pa.string())}),
            "a.parquet, row 2: the text is not UTF-8",
        ),
    ],
)
def test_parquet_names_what_is_no_text(tmp_path, blank_en, table, found):
    path = write(tmp_path / "a.parquet", table)
    with pytest.raises(SeqMixError, match=rf"S610\] .*{found}"):
        lazy_docs([path], blank_en)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"one\ntwo\n" * 9, None])
def test_parquet_names_what_is_no_parquet(tmp_path, blank_en, content):
    path = write(tmp_path / "a.parquet", numbered(20))
    path.write_bytes(path.read_bytes()[:-3] if content is None else content)
    with pytest.raises(SeqMixError, match=r"S501\].*a\.parquet: it is no whole Parquet file"):
        lazy_docs([path], blank_en)


def damage(path: Path, what: bytes) -> None:
    """Write over what stands before some bytes of a file: the length of a string."""
    data = path.read_bytes()
    assert data.count(what) == 1
    at = data.index(what)
    path.write_bytes(data[: at - 4] + b"\xff\xff\xff\x7f" + data[at:])


PLAIN = {"use_dictionary": False, "compression": "none", "write_statistics": False}


def test_parquet_names_where_it_is_damaged(tmp_path, blank_en):
    table = pa.table({"text": numbered(30), "note": [f"note {i}" for i in range(30)]})
    path = write(tmp_path / "a.parquet", table, row_group_size=10, **PLAIN)
    damage(path, b"note 25")
    docs = lazy_docs([path], blank_en)  # of which the texts are whole
    assert list(docs.texts([25, 3])) == ["text 25", "text 3"]
    assert docs[19].user_data[EXTRA_KEY] == {"note": "note 19"}
    with pytest.raises(SeqMixError, match=r"S501\].*a\.parquet: it is damaged at row 21 or after"):
        docs[29]
    damage(path, b"text 15")
    with pytest.raises(SeqMixError, match=r"S501\].*a\.parquet: it is damaged at row 11 or after"):
        lazy_docs([path], blank_en)


@pytest.mark.parametrize("how", ["gone", "text", "shorter", "lines", "damaged", "column"])
def test_parquet_that_changes_after_it_was_read(tmp_path, blank_en, how):
    path = write(tmp_path / "a.parquet", numbered(30), row_group_size=10, **PLAIN)
    docs = lazy_docs([path], blank_en)
    if how == "gone":
        path.unlink()
    elif how == "lines":
        path.write_text("one\ntwo\n")
    elif how == "damaged":
        damage(path, b"text 25")
    else:
        tables = {
            "text": numbered(25) + ["other"] * 5,
            "shorter": numbered(12),
            "column": pa.table({"body": numbered(30)}),
        }
        write(path, tables[how], row_group_size=10)
    for read in (docs.take, docs.texts):
        with pytest.raises(SeqMixError, match=r"S761.*a\.parquet"):
            list(read([27]))


@pytest.mark.parametrize("to", [numbered(40), [None]])
def test_parquet_that_changes_while_it_is_read(tmp_path, blank_en, monkeypatch, to):
    path = write(tmp_path / "a.parquet", numbered(30))
    digest = indexed_files.file_digest

    def slow(path: Path) -> str:
        found = digest(path)
        write(path, to)
        return found

    monkeypatch.setattr(indexed_files, "file_digest", slow)
    with pytest.raises(SeqMixError, match=r"S761.*a\.parquet"):
        lazy_docs([path], blank_en)


@pytest.fixture
def groups_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The row groups that were read again, in the order in which they were."""
    read: list[int] = []
    batches = ParquetTexts._batches

    def noted(self: ParquetTexts, file: Any, group: int, columns: Any) -> Any:
        read.append(group)
        return batches(self, file, group, columns)

    monkeypatch.setattr(ParquetTexts, "_batches", noted)
    return read


def test_parquet_keeps_row_groups_in_memory_as_far_as_there_is_room(
    tmp_path, blank_en, monkeypatch, groups_read
):
    path = write(tmp_path / "a.parquet", numbered(40), row_group_size=10)
    docs = lazy_docs([path], blank_en)
    assert groups_read == [0, 1, 2, 3]
    groups_read.clear()
    wanted = [39, 2, 38, 11, 2, 1]
    expected = [f"text {i}" for i in wanted]
    assert list(docs.texts(wanted)) == expected
    assert groups_read == [0, 1, 3]
    assert list(docs.texts(wanted)) == expected
    assert groups_read == [0, 1, 3]
    assert docs[2].text == "text 2"  # with all columns
    assert groups_read == [0, 1, 3, 0]
    # One group at a time: those of the last rows.
    monkeypatch.setattr("spacy_seqmix.annotation.recent.MAX_BYTES", 150)
    docs = lazy_docs([path], blank_en)
    groups_read.clear()
    for number in (5, 6, 15, 16, 5):
        assert list(docs.texts([number])) == [f"text {number}"]
    assert groups_read == [0, 1, 0]
    # A group that is too large is not kept, and each part of the file is still read once.
    monkeypatch.setattr("spacy_seqmix.annotation.recent.MAX_BYTES", 1)
    docs = lazy_docs([path], blank_en)
    groups_read.clear()
    assert list(docs.texts(wanted)) == expected
    assert groups_read == [0, 1, 3]
    assert list(docs.texts([39])) == ["text 39"]
    assert groups_read == [0, 1, 3, 3]


def test_parquet_needs_pyarrow(tmp_path, blank_en, monkeypatch):
    path = write(tmp_path / "a.parquet", ["a"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SeqMixError, match=r"S750.*a\.parquet.*pip install pyarrow.*\[ray\]"):
        lazy_docs([path], blank_en)


def test_parquet_of_texts_that_no_tokenizer_reads(tmp_path, blank_en):
    path = write(tmp_path / "a.parquet", ["one", "(" * 5000, "two"])
    with pytest.warns(UserWarning, match=r"W612.*a\.parquet"):
        docs = lazy_docs([path], blank_en)
    assert list(docs) == [0, 2]
    assert docs[2].text == "two"


def test_parquet_without_a_text_is_no_pool(tmp_path, blank_en):
    empty = pa.table({"text": pa.array([], pa.string())})
    for table in (empty, pa.table({"text": ["", " "]})):
        path = write(tmp_path / "a.parquet", table)
        with pytest.raises(SeqMixError, match=r"S403.*no texts"):
            lazy_docs([path], blank_en)
