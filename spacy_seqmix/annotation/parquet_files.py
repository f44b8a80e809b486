"""Parquet files of texts: read once from the beginning to the end, and again by rows."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import Errors, SeqMixError, describe
from . import recent
from .recent import Recent

__all__ = ["ParquetRow", "ParquetTexts", "is_parquet", "load_pyarrow"]

# Of rows that are in memory at a time, beside those that ``Recent`` keeps.
ROWS = 1024
TEXT = "text"
# Bytes that are read of a file at a time.
BUFFER = 2**20


class ParquetRow(NamedTuple):
    """A row of a file.

    text (str): the value of the column "text".
    extra (dict): the values of the other columns, without those that are null.
    """

    text: str
    extra: dict[str, Any]


def is_parquet(path: Path) -> bool:
    """Whether a file is a Parquet file, by its name."""
    return path.suffix.lower() == ".parquet"


def load_pyarrow(path: Path) -> Any:
    """The package pyarrow. RAISES (SeqMixError): S750 where it is not installed.

    path (Path): the file that needs it.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as err:
        raise SeqMixError(Errors.E750.format(path=path)) from err
    return pyarrow


class ParquetTexts:
    """A Parquet file with the column "text". Memory holds little of it at a time.

    size (int): the number of its rows.
    """

    def __init__(self, path: Path) -> None:
        """Read what the file says of itself.

        RAISES (SeqMixError): S501 where it is missing or no Parquet file, S610 where it has no
            column "text" of strings, S750 without pyarrow.
        """
        self.path = path
        self._pa = load_pyarrow(path)
        with self._opened() as file:
            self._schema, metadata = file.schema_arrow, file.metadata
            sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        self._starts: list[int] = [0, *accumulate(sizes)]
        self.size: int = self._starts.pop()
        self._check()
        others = [one for one in self._schema if one.name != TEXT and self._count(one.name) == 1]
        self._extra = [one.name for one in others if self._is_kept(one.type)]

    def texts(self) -> Iterator[str]:
        """The texts of all rows in their order, blank ones too.

        RAISES (SeqMixError): S501 where the file is damaged, S610 for a row without a text.
        """
        number = 0
        with self._opened() as file:
            for group in range(len(self._starts)):
                for batch in self._batches(file, group, [TEXT]):
                    for value in batch.column(TEXT):
                        number += 1
                        yield self._text(value, number)

    def take(self, numbers: Sequence[int], kept: Recent, *, extra: bool) -> Iterator[ParquetRow]:
        """Some rows, in their order. Each part of the file is read once for many rows.

        numbers (Sequence[int]): of the rows, counted from 0.
        kept (Recent): has the parts of files that were read last.
        extra (bool): read all columns; else rows have no ``extra``.
        RAISES (SeqMixError): as ``texts``.
        """
        for low in range(0, len(numbers), ROWS):
            some = numbers[low : low + ROWS]
            found: dict[int, ParquetRow] = {}
            for group, rows in groupby(sorted(set(some)), self._group_of):
                found.update(self._of_group(group, list(rows), kept, extra))
            for number in some:
                if number not in found:
                    raise self._damaged(number, IndexError("there is no such row"))
                yield found[number]

    def _group_of(self, number: int) -> int:
        return bisect_right(self._starts, number) - 1

    def _of_group(
        self, group: int, numbers: Sequence[int], kept: Recent, extra: bool
    ) -> Iterator[tuple[int, ParquetRow]]:
        """Rows of a row group. One that fits into memory is kept there."""
        start, key = self._starts[group], (self.path, group, extra)
        batches: list[Any] | None = kept.get(key)
        if batches is not None:
            yield from self._picked(batches, start, numbers)
            return
        batches, size = [], 0

        def read(file: Any) -> Iterator[Any]:
            nonlocal batches, size
            for batch in self._batches(file, group, [TEXT, *self._extra] if extra else [TEXT]):
                size += batch.nbytes
                if batches is not None and size <= recent.MAX_BYTES:
                    batches.append(batch)
                else:
                    batches = None
                yield batch

        with self._opened() as file:
            yield from self._picked(read(file), start, numbers)
        if batches is not None:
            kept.keep(key, batches, size)

    def _picked(
        self, batches: Iterable[Any], start: int, numbers: Sequence[int]
    ) -> Iterator[tuple[int, ParquetRow]]:
        """Rows of batches that follow one another."""
        for batch in batches:
            end = start + len(batch)
            some = numbers[bisect_left(numbers, start) : bisect_left(numbers, end)]
            if some:
                taken = batch.take(self._pa.array([number - start for number in some]))
                yield from zip(some, self._rows(taken, some), strict=True)
            start = end

    def _rows(self, batch: Any, numbers: Sequence[int]) -> Iterator[ParquetRow]:
        names = [name for name in self._extra if name in batch.schema.names]
        try:
            columns = [self._values(batch.column(name)) for name in names]
        except (self._pa.ArrowException, ValueError) as err:
            raise self._damaged(numbers[0], err) from err
        for i, number in enumerate(numbers):
            text = self._text(batch.column(TEXT)[i], number + 1)
            pairs = ((name, column[i]) for name, column in zip(names, columns, strict=True))
            yield ParquetRow(text, {name: value for name, value in pairs if value is not None})

    def _values(self, column: Any) -> list[Any]:
        return list(
            (column.cast("string") if self._is_as_text(column.type) else column).to_pylist()
        )

    def _text(self, value: Any, number: int) -> str:
        try:
            text = value.as_py()
        except UnicodeDecodeError:
            raise self._no_text(number, "the text is not UTF-8") from None
        if text is None:
            raise self._no_text(number, f'the column "{TEXT}" is null')
        return str(text)

    def _no_text(self, number: int, reason: str) -> SeqMixError:
        return SeqMixError(Errors.E610.format(where=f"{self.path}, row {number}", reason=reason))

    def _count(self, name: str) -> int:
        return int(self._schema.names.count(name))

    def _check(self) -> None:
        """RAISES (SeqMixError): S610 where the column of texts is missing, or has other values."""
        reason, schema = None, self._schema
        if self._count(TEXT) != 1:
            shown = ", ".join(map(repr, schema.names[:10])) + ", ..." * (len(schema.names) > 10)
            reason = f'it needs one column "{TEXT}", and its columns are {shown or "none"}'
        elif not self._is_string(schema.field(TEXT).type):
            reason = f'the column "{TEXT}" has values of the type {schema.field(TEXT).type}'
        if reason is not None:
            raise SeqMixError(Errors.E610.format(where=self.path, reason=reason))

    def _is_string(self, kind: Any) -> bool:
        types = self._pa.types
        kind = kind.value_type if types.is_dictionary(kind) else kind
        is_one: tuple[Callable[[Any], bool], ...]
        is_one = (types.is_string, types.is_large_string, types.is_string_view)
        return any(is_kind(kind) for is_kind in is_one)

    def _is_as_text(self, kind: Any) -> bool:
        """Whether JSON has no such values, but there is a usual way to write them."""
        types = self._pa.types
        is_time = types.is_timestamp(kind) or types.is_date(kind) or types.is_time(kind)
        return bool(is_time or types.is_decimal(kind))

    def _is_kept(self, kind: Any) -> bool:
        """Whether a line of a .jsonl file could have the values of a column."""
        return self._is_as_text(kind) or self._is_json(kind)

    def _is_json(self, kind: Any) -> bool:
        types = self._pa.types
        if types.is_struct(kind):
            return all(self._is_json(kind.field(i).type) for i in range(kind.num_fields))
        is_list = (types.is_list, types.is_large_list, types.is_fixed_size_list)
        if any(is_kind(kind) for is_kind in is_list):
            return self._is_json(kind.value_type)
        is_plain = (types.is_null, types.is_boolean, types.is_integer, types.is_floating)
        return self._is_string(kind) or any(is_kind(kind) for is_kind in is_plain)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """RAISES (SeqMixError): S501 where it is missing, or no Parquet file."""
        try:
            file = self._pa.parquet.ParquetFile(self.path, buffer_size=BUFFER)
        except FileNotFoundError as err:
            raise SeqMixError(Errors.E501.format(path=self.path, reason="no such file")) from err
        except (self._pa.ArrowException, OSError, ValueError) as err:
            reason = f"it is no whole Parquet file ({describe(err).rstrip('.')})"
            raise SeqMixError(Errors.E501.format(path=self.path, reason=reason)) from err
        with file:
            yield file

    def _batches(self, file: Any, group: int, columns: Sequence[str]) -> Iterator[Any]:
        """Rows of a row group, few at a time. RAISES (SeqMixError): S501 where it is damaged."""
        number = self._starts[group]
        try:
            if not file.schema_arrow.equals(self._schema):
                raise ValueError("it has other columns than before")
            for batch in file.iter_batches(
                ROWS, row_groups=[group], columns=list(columns), use_threads=False
            ):
                yield batch
                number += len(batch)
        except (self._pa.ArrowException, OSError, ValueError, IndexError) as err:
            raise self._damaged(number, err) from err

    def _damaged(self, number: int, err: Exception) -> SeqMixError:
        reason = f"it is damaged at row {number + 1} or after it ({describe(err).rstrip('.')})"
        return SeqMixError(Errors.E501.format(path=self.path, reason=reason))
