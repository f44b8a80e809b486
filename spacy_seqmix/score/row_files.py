"""Rows of scores in files: lines of JSON, or Parquet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..annotation.parquet_files import is_parquet, load_pyarrow
from ..annotation.texts import parts_of_key
from ..errors import Errors, SeqMixError
from ..files import parse_json, replacing
from .scorer import SPAN_KEYS, Row

__all__ = ["FORMATS", "check_format", "read_rows", "write_rows"]

# By these names, which are also those of the files.
FORMATS = ("jsonl", "parquet")


def check_format(format: str, path: Path) -> None:
    """Check that rows can be written.

    path (Path): where to.
    RAISES (SeqMixError): S750 for Parquet without pyarrow, S751 for a format that is none.
    """
    if format not in FORMATS:
        raise SeqMixError(Errors.E751.format(given=format, known=", ".join(FORMATS)))
    if format == "parquet":
        load_pyarrow(path)


def write_rows(path: Path, rows: Sequence[Row], *, texts: bool = False) -> None:
    """Write rows, whole or not at all, in the format that the name of the file ends in.

    A Parquet file has the same columns whatever was asked for. They are null where a row has no
    such key.

    texts (bool): the rows have texts.
    RAISES (SeqMixError): S750 for a Parquet file without pyarrow.
    RAISES (OSError): where the file can't be written.
    """
    if is_parquet(path):
        _write_parquet(path, rows, texts)
        return
    with replacing(path) as temporary, temporary.open("w", encoding="utf8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def read_rows(path: Path) -> list[Row]:
    """Read rows. Those of a Parquet file have no key where the column is null.

    RAISES (SeqMixError): S750, and S767 for a file that is damaged.
    """
    try:
        rows = _read_parquet(path) if is_parquet(path) else _read_lines(path)
        if not all(map(_is_row, rows)):
            raise ValueError("it has other things than rows of scores")
    except SeqMixError:
        raise
    except (ValueError, KeyError, OSError) as err:
        raise SeqMixError(Errors.E767.format(path=path, reason=err)) from err
    return rows


def _is_row(row: object) -> bool:
    if not isinstance(row, dict) or not isinstance(row["key"], str):
        return False
    scored = row.get("score")
    return parts_of_key(row["key"]) is not None and isinstance(scored, float | int | None)


def _read_lines(path: Path) -> list[Row]:
    rows = []
    for number, line in enumerate(path.read_text("utf8").split("\n"), start=1):
        try:
            rows += [parse_json(line)] if line else []
        except ValueError as err:
            raise ValueError(f"line {number} is not JSON") from err
    return rows


def _schema(pa: Any, texts: bool) -> Any:
    span = dict(zip(SPAN_KEYS, (pa.int64(), pa.int64(), pa.string(), pa.float64()), strict=True))
    return pa.schema(
        [
            pa.field("key", pa.string(), nullable=False),
            ("tokens", pa.int64()),
            ("score", pa.float64()),
            ("perplexity", pa.float64()),
            ("spans", pa.list_(pa.struct(list(span.items())))),
            ("error", pa.string()),
            *([("text", pa.string())] if texts else []),
        ]
    )


def _write_parquet(path: Path, rows: Sequence[Row], texts: bool) -> None:
    pa = load_pyarrow(path)
    table = pa.Table.from_pylist(list(rows), schema=_schema(pa, texts))
    with replacing(path) as temporary:
        pa.parquet.write_table(table, temporary)


def _read_parquet(path: Path) -> list[Row]:
    pa = load_pyarrow(path)
    try:
        with pa.parquet.ParquetFile(path) as file:
            rows = file.read(use_threads=False).to_pylist()
    except pa.ArrowException as err:
        raise ValueError(err) from err
    return [{name: value for name, value in row.items() if value is not None} for row in rows]
