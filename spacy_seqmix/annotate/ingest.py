"""Read what people labelled in a tool, and make docs of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..annotation.docbins import is_docbin, iter_docs, write_docs
from ..annotation.texts import EXTRA_KEY, KEY, task_key, tokenise
from ..convert.files import attempt
from ..errors import Errors, SeqMixError, Warnings
from ..files import check_output
from .annotators import Annotator, Answered, Joining, is_joining, join_answers
from .formats import read_export
from .ingested import Ingested
from .join import (
    Joined,
    PoolText,
    by_text,
    choose,
    in_order,
    join,
    last_of_each,
    read_ahead,
    texts_of,
    with_key,
)
from .place import Note, Noted, Rules, annotated, bare, says_nothing
from .rows import Row

__all__ = ["ingest", "ingest_file", "ingest_rows", "read_answers"]

UNKNOWN = "all of the text is unknown"


def ingest_file(
    paths: Sequence[Path],
    out_path: Path,
    nlp: Language,
    *,
    format: str | None = None,
    skip: bool = False,
    confirmed: bool = False,
    pool: Sequence[Path] = (),
    **how: Any,
) -> Ingested:
    """Read exports and write their labelled texts to a .spacy file, whole or not at all.

    paths (Sequence[Path]): the exports: files, or for brat folders. Where there are several, the
        name of a file stands for the person, unless the file says who labelled.
    out_path (Path): the .spacy file.
    format (str | None): one of ``FORMATS``; None to detect it.
    skip (bool): leave out what can't be read, with a warning each.
    confirmed (bool): for doccano, whether the export is of confirmed texts only.
    **how: see ``ingest_rows``.
    RAISES (SeqMixError): S549 where the output is an input, and those of the reader and of
        ``ingest_rows``.

    Warns with W540 for what is left out, and as ``ingest_rows`` does.
    """
    out_path = out_path / f"{paths[0].stem}.spacy" if out_path.is_dir() else out_path
    check_output(out_path, [*paths, *pool])
    name, rows = _read(paths, format, skip=skip, confirmed=confirmed)
    hint = ""
    if "doccano" in name and not confirmed:
        hint = "If the export is of confirmed texts only, pass --confirmed. "
    shown = ", ".join(map(str, paths))
    return ingest_rows(name, rows, shown, out_path, nlp, pool=pool, skip=skip, hint=hint, **how)


def ingest_rows(
    name: str,
    rows: Iterable[Row],
    where: str,
    out_path: Path,
    nlp: Language,
    *,
    pool: Sequence[Path] = (),
    rules: Rules | None = None,
    annotators: str | None = None,
    skip: bool = False,
    whole: bool = False,
    hint: str = "",
) -> Ingested:
    """Write the labelled texts of rows to a .spacy file, whole or not at all.

    name (str): the format.
    where (str): where the rows are from, for messages.
    out_path (Path): the .spacy file.
    nlp (Language): whose tokenizer makes the docs, where no pool has them.
    pool (Sequence[Path]): the texts that were asked: files, patterns and folders. None takes the
        texts of the exports.
    rules (Rules | None): what is done with spans that do not fit.
    annotators (str | None): "soft" or "vote" joins the answers of several people to a text, see
        ``join_answers``; a name counts those of one person; None counts the last one.
    skip (bool): leave out what can't be used, with a warning each.
    whole (bool): write all docs of the pool, in their order: those that are labelled in the exports
        with their annotation, all others as they are.
    hint (str): what to do where texts are not labelled yet.
    RETURNS (Ingested): what they said.
    RAISES (SeqMixError): S648 without a labelled text, S724 for a pool without docs to write, S730
        for an unknown person, and those of ``annotated``.

    Warns with W540 for what is left out, with W730 where no text has answers of two people, and
    with W731 of people with one text.
    """
    if whole and not (len(pool) == 1 and is_docbin(pool[0])):
        raise SeqMixError(Errors.E724)
    rows = list(rows)
    texts = texts_of(rows, pool, nlp) if pool else None
    made = ingest(name, rows, nlp, texts, rules or Rules(), annotators=annotators, skip=skip)
    if not made.docs:
        hint = hint if made.not_yet else ""
        if pool and any(note.kind == "not placed" for note in made.notes):
            given = ", ".join(map(str, pool))
            hint += f"Texts that are not in '{given}' are not placed: give the asked ones. "
        raise SeqMixError(Errors.E648.format(path=where, counts=made.counts(), hint=hint))
    write_docs(_among_others(made.docs, pool[0], nlp) if whole else made.docs, out_path)
    return made


def _among_others(docs: Iterable[Doc], pool: Path, nlp: Language) -> Iterator[Doc]:
    """All docs of a file, those that were labelled in place of the file's own."""
    labelled = {doc.user_data[KEY]: doc for doc in docs}
    for number, doc in enumerate(iter_docs(pool, nlp.vocab)):
        yield labelled.get(task_key(number, doc.text), doc)


def _read(
    paths: Sequence[Path], format: str | None, *, skip: bool, confirmed: bool
) -> tuple[str, list[Row]]:
    """The formats of exports, and their rows."""
    names = [path.stem for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    formats: list[str] = []
    rows: list[Row] = []
    for path, who in zip(paths, names, strict=True):
        found, read = read_export(path, format, skip=skip, confirmed=confirmed)
        formats.append(found)
        rows += [row if row.who or len(paths) == 1 else replace(row, who=who) for row in read]
    return ", ".join(dict.fromkeys(formats)), rows


def ingest(
    name: str,
    rows: Iterable[Row],
    nlp: Language,
    pool: Mapping[str, PoolText] | None,
    rules: Rules,
    *,
    annotators: str | None = None,
    skip: bool = False,
) -> Ingested:
    """Make docs of the rows of exports; see ``ingest_file``."""
    made = Ingested(name)
    given = list(rows)
    if is_joining(annotators):
        _join_all(made, given, nlp, pool, rules, annotators, skip)
        return made
    _check_person(given, annotators)
    noted = made.notes.append
    related = any(row.relations for row in given)
    for one in read_answers(given, pool, annotators, noted):
        row = one.row
        if row.state == "skipped":
            made.skipped += 1
        elif row.state == "not yet":
            made.not_yet += 1
        else:
            doc = attempt(skip, _make_doc, one, nlp, rules, noted, related)
            if doc is None:
                made.left_out += 1
            elif says_nothing(doc):
                noted(Note("dropped", row.where, UNKNOWN))
                made.not_yet += 1
            else:
                made.docs.append(doc)
    return made


def _check_person(rows: Sequence[Row], who: str | None) -> None:
    """RAISES (SeqMixError): S730 where nothing is by the person whose answers are to count."""
    names = dict.fromkeys(row.who for row in rows)
    if who is not None and who not in names:
        known = ", ".join(repr(name) for name in names if name) or "nobody with a name"
        raise SeqMixError(Errors.E730.format(name=who, known=known))


def read_answers(
    rows: Iterable[Row], pool: Mapping[str, PoolText] | None, who: str | None, noted: Noted
) -> Iterator[Joined]:
    """Find the text of each row, and keep one answer to each text; what readers had to leave out
    of it is noted."""
    for one in choose(_with_texts(rows, pool, noted), who, noted):
        _note_reader(one.row, noted)
        yield one


def _with_texts(
    rows: Iterable[Row], pool: Mapping[str, PoolText] | None, noted: Noted
) -> list[Joined]:
    if pool is None:
        return [Joined(row, None) for row in rows]
    joined = list(join(rows, pool, noted))
    read_ahead(one.text for one in joined if one.text and one.row.state == "labelled")
    return joined


def _note_reader(row: Row, noted: Noted) -> None:
    for what in row.notes:
        noted(Note("dropped", row.where, what))


def _join_all(
    made: Ingested,
    rows: Sequence[Row],
    nlp: Language,
    pool: Mapping[str, PoolText] | None,
    rules: Rules,
    how: Joining,
    skip: bool,
) -> None:
    """Make one doc of all people's answers to each text."""
    noted = made.notes.append
    texts = []
    for given in by_text(_with_texts(rows, pool, noted)):
        kept = last_of_each(in_order(given))
        labelled = [one for one in kept if one.row.state == "labelled"]
        if not labelled:
            made.skipped += bool(kept)
            made.not_yet += not kept
            continue
        text = attempt(skip, _tokens, labelled[0], nlp)
        if text is None:
            made.left_out += 1
            continue
        said = {one.row.who: _said(one.row, text, rules, noted, skip) for one in labelled}
        used = {who: doc for who, doc in said.items() if doc is not None}
        known = {who: doc for who, doc in used.items() if not says_nothing(doc)}
        if known:
            texts.append(Answered(text, known))
        else:
            made.left_out += len(used) < len(said)
            made.not_yet += len(used) == len(said)
    if texts:
        made.docs, made.annotators = join_answers(texts, how)
        _warn_of_few(made.annotators)


def _said(row: Row, text: Doc, rules: Rules, noted: Noted, skip: bool) -> Doc | None:
    """A text with what one person says of it; None where that can't be used."""
    _note_reader(row, noted)
    if row.relations:
        noted(Note("dropped", row.where, "the relations, since only entities are joined"))
    doc = attempt(skip, annotated, row, text, rules, noted)
    if doc is not None and says_nothing(doc):
        noted(Note("dropped", row.where, UNKNOWN))
    return doc


def _warn_of_few(annotators: Sequence[Annotator]) -> None:
    """Warn where there is little to join, or little to know a person by."""
    if not any(one.shared for one in annotators):
        names = ", ".join(repr(one.who) for one in annotators)
        warnings.warn(Warnings.W730.format(names=names), stacklevel=2)
        return
    if few := [repr(one.who) for one in annotators if one.texts == 1]:
        warnings.warn(Warnings.W731.format(names=", ".join(few)), stacklevel=2)


def _make_doc(one: Joined, nlp: Language, rules: Rules, noted: Noted, related: bool) -> Doc:
    return annotated(one.row, _tokens(one, nlp), rules, noted, related=related)


def _tokens(one: Joined, nlp: Language) -> Doc:
    """The text of an answer in tokens, with its key and the other keys, and without labels."""
    row = one.row
    if one.text is not None:
        doc = one.text.doc()
        extra = {**row.extra, **doc.user_data.get(EXTRA_KEY, {})}
        doc = bare(doc)
    else:
        extra = row.extra
        doc = tokenise(nlp, row.text, row.where)
    if not doc.text.strip():
        raise SeqMixError(Errors.E646.format(where=row.where, what="the text is blank"))
    return with_key(doc, row.key, extra)
