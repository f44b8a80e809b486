"""Read what people labelled in a tool, and make docs of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from ..annotation.docbins import is_docbin, iter_docs, write_docs
from ..annotation.texts import KEY, task_key, tokenise
from ..convert.files import attempt
from ..errors import Errors, SeqMixError
from ..files import check_output
from .formats import read_export
from .join import Joined, PoolText, by_key, choose, join, read_pool, with_key
from .place import Note, Noted, Rules, annotated, says_nothing
from .rows import Row

__all__ = ["Ingested", "ingest", "ingest_file", "read_answers"]


@dataclass
class Ingested:
    """What an export said.

    format (str): its format.
    docs (list[Doc]): the labelled texts, the empty ones too. Their user data have the key of each
        text and the other keys of its line.
    skipped, not_yet (int): the texts that were refused, and those that nobody has labelled yet.
    left_out (int): the labelled texts that can't be used, each with a warning.
    notes (list[Note]): what was moved or left out, by file and line.
    """

    format: str
    docs: list[Doc] = field(default_factory=list)
    skipped: int = 0
    not_yet: int = 0
    left_out: int = 0
    notes: list[Note] = field(default_factory=list)

    @property
    def empty(self) -> int:
        """The labelled texts in which there is nothing."""
        return sum(not doc.ents and _is_whole(doc) for doc in self.docs)

    @property
    def partial(self) -> int:
        """The texts that are labelled in part."""
        return sum(not _is_whole(doc) for doc in self.docs)

    @property
    def entities(self) -> int:
        """The entities of all docs."""
        return sum(len(doc.ents) for doc in self.docs)

    def counts(self) -> str:
        """The number of texts in each state, as part of a sentence."""
        of = [f"{self.empty} of them empty"] * bool(self.empty)
        of += [f"{self.partial} in part"] * bool(self.partial)
        labelled = f"{len(self.docs)} labelled" + (f" ({', '.join(of)})" if of else "")
        kinds = Counter(note.kind for note in self.notes)
        rest = [f"{self.skipped} skipped", f"{self.not_yet} not yet"]
        rest += [f"{self.left_out} left out"] * bool(self.left_out)
        rest += [f"{n} {kind}" for kind, n in sorted(kinds.items()) if kind == "not placed"]
        return ", ".join([labelled, *rest])


def ingest_file(
    path: Path,
    out_path: Path,
    nlp: Language,
    *,
    format: str | None = None,
    pool: Path | None = None,
    rules: Rules | None = None,
    who: str | None = None,
    skip: bool = False,
    confirmed: bool = False,
    whole: bool = False,
) -> Ingested:
    """Read an export and write its labelled texts to a .spacy file, whole or not at all.

    path (Path): the export: a file, or for brat a folder.
    out_path (Path): the .spacy file.
    nlp (Language): whose tokenizer makes the docs, where no pool has them.
    format (str | None): one of ``FORMATS``; None to detect it.
    pool (Path | None): the texts that were asked: a .spacy file or texts. None takes the texts of
        the export.
    rules (Rules | None): what is done with spans that do not fit.
    who (str | None): whose answers count; None for all.
    skip (bool): leave out what can't be read, with a warning each.
    confirmed (bool): for doccano, whether the export is of confirmed texts only.
    whole (bool): write all docs of the pool, in their order: those that are labelled in the export
        with its annotation, all others as they are.
    RETURNS (Ingested): what it said.
    RAISES (SeqMixError): S549 where the output is an input, S648 without a labelled text, S724 for
        a pool without docs to write, and those of the reader and of ``annotated``.

    Warns with W540 for what is left out.
    """
    out_path = out_path / f"{path.stem}.spacy" if out_path.is_dir() else out_path
    check_output(out_path, [path, *([] if pool is None else [pool])])
    if whole and (pool is None or not is_docbin(pool)):
        raise SeqMixError(Errors.E724)
    texts = None if pool is None else by_key(read_pool(pool, nlp))
    name, rows = read_export(path, format, skip=skip, confirmed=confirmed)
    made = ingest(name, rows, nlp, texts, rules or Rules(), who=who, skip=skip)
    if not made.docs:
        hint = ""
        if name == "doccano" and made.not_yet and not confirmed:
            hint = "If the export is of confirmed texts only, pass --confirmed. "
        raise SeqMixError(Errors.E648.format(path=path, counts=made.counts(), hint=hint))
    write_docs(_among_others(made.docs, pool, nlp) if whole and pool else made.docs, out_path)
    return made


def _among_others(docs: Iterable[Doc], pool: Path, nlp: Language) -> Iterator[Doc]:
    """All docs of a file, those that were labelled in place of the file's own."""
    labelled = {doc.user_data[KEY]: doc for doc in docs}
    for number, doc in enumerate(iter_docs(pool, nlp.vocab)):
        yield labelled.get(task_key(number, doc.text), doc)


def ingest(
    name: str,
    rows: Iterable[Row],
    nlp: Language,
    pool: Mapping[str, PoolText] | None,
    rules: Rules,
    *,
    who: str | None = None,
    skip: bool = False,
) -> Ingested:
    """Make docs of the rows of an export; see ``ingest_file``."""
    made = Ingested(name)
    noted = made.notes.append
    given = list(rows)
    related = any(row.relations for row in given)
    for one in read_answers(given, pool, who, noted):
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
                noted(Note("dropped", row.where, "all of the text is unknown"))
                made.not_yet += 1
            else:
                made.docs.append(doc)
    return made


def read_answers(
    rows: Iterable[Row], pool: Mapping[str, PoolText] | None, who: str | None, noted: Noted
) -> Iterator[Joined]:
    """Find the text of each row, and keep one answer to each text; what readers had to leave out
    of it is noted."""
    joined = (Joined(row, None) for row in rows) if pool is None else join(rows, pool, noted)
    for one in choose(joined, who, noted):
        for what in one.row.notes:
            noted(Note("dropped", one.row.where, what))
        yield one


def _make_doc(one: Joined, nlp: Language, rules: Rules, noted: Noted, related: bool) -> Doc:
    row = one.row
    if one.text is not None:
        extra = {**row.extra, **one.text.extra}
        doc = one.text.doc()
    else:
        extra = row.extra
        doc = tokenise(nlp, row.text, row.where)
    if not doc.text.strip():
        raise SeqMixError(Errors.E646.format(where=row.where, what="the text is blank"))
    return with_key(annotated(row, doc, rules, noted, related=related), row.key, extra)


def _is_whole(doc: Doc) -> bool:
    """Whether no tag of a labelled doc is missing."""
    return all(token.ent_iob for token in doc)
