"""The oracle that asks by files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc

from spacy_seqmix.annotate.files_oracle import FilesOracle, make_files_oracle
from spacy_seqmix.annotate.formats import FORMATS
from spacy_seqmix.annotation.texts import task_key
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.types import Answer, Oracle, Suggestion, Task

from .tools import EXPORTS, Said

NLP = spacy.blank("en")
TEXTS = ["Ana left Oslo 🙂.", "Skip this.", "Later.", "Nobody came."]


def make_tasks(round: int = 1, texts: list[str] = TEXTS) -> list[Task]:
    return [
        Task(task_key(n, text), NLP.make_doc(text), round, (Suggestion(0, 1, "X", 0.5),), 0.1, "m")
        for n, text in enumerate(texts)
    ]


def begun(run_dir: Path, name: str, **settings: object) -> FilesOracle:
    oracle = make_files_oracle(name, **settings)  # type: ignore[arg-type]
    assert isinstance(oracle, Oracle)
    assert not oracle.needs_gold
    oracle.begin(run_dir, NLP)
    return oracle


def export(oracle: FilesOracle, tasks: list[Task]) -> Path:
    """A person labels the first file: one text, one skipped, one empty; one is left."""
    name = oracle.name
    path = next(iter(oracle._task_files()))
    said = {tasks[0].key: Said([(0, 3, "PER")]), tasks[1].key: Said([], True)}
    said[tasks[3].key] = Said([(0, 6, "PER")] if name == "brackets" else [])
    made = EXPORTS[name](path, said)
    if made != path:
        made.rename(path if name in ("brackets", "jsonl") else oracle.exports / made.name)
    return path


def ents(answer: Answer) -> list[str] | None:
    return None if answer.doc is None else [ent.text for ent in answer.doc.ents]


@pytest.mark.parametrize("name", FORMATS)
def test_files_oracle_waits_then_answers(tmp_path: Path, name: str) -> None:
    oracle, tasks = begun(tmp_path, name), make_tasks()
    assert list(oracle(tasks)) == []
    path = tmp_path / "tasks" / f"round-01{FORMATS[name].suffix}"
    assert path.exists()
    assert str(path) in oracle.advise(tasks)
    if not FORMATS[name].in_place:
        assert str(tmp_path / "tasks" / "answers") in oracle.advise(tasks)
    export(oracle, tasks)
    again = begun(tmp_path, name)  # as after a restart
    answers = {answer.key: answer for answer in again(tasks)}
    assert ents(answers[tasks[0].key]) == ["Ana"]
    assert tasks[2].key not in answers
    if name != "doccano":
        assert answers[tasks[1].key].skipped
    assert ents(answers[tasks[3].key]) == (["Nobody"] if name == "brackets" else [])
    assert answers[tasks[0].key].shown == tasks[0].suggestions
    assert answers[tasks[0].key].doc is not tasks[0].doc
    assert not tasks[0].doc.has_annotation("ENT_IOB")


@pytest.mark.parametrize("name", FORMATS)
def test_files_oracle_never_writes_over_a_file(tmp_path: Path, name: str) -> None:
    oracle, tasks = begun(tmp_path, name), make_tasks()
    list(oracle(tasks))
    path = export(oracle, tasks)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    before = [file.read_bytes() for file in files]
    more = [Task(task_key(9, "Bo came."), NLP.make_doc("Bo came."), 1)]
    for is_new in (False, True):
        one = begun(tmp_path, name) if is_new else oracle
        list(one([*tasks, *more]))
        assert [file.read_bytes() for file in files] == before
        found = one._task_files()
        assert [p.stem for p in found] == ["round-01", "round-01-more-2"]
        assert str(found[1]) in one.advise(more)
        assert f"{path} " not in one.advise(more)


def test_files_oracle_reads_a_file_again_when_it_changes(tmp_path: Path) -> None:
    oracle, tasks = begun(tmp_path, "brackets"), make_tasks()
    list(oracle(tasks))
    path = tmp_path / "tasks" / "round-01.txt"
    text = path.read_text("utf8")
    path.write_text(text.replace("# todo 2", "# skip 2"), "utf8")
    assert [(a.key, a.skipped) for a in oracle(tasks)] == [(tasks[2].key, True)]
    path.write_text(text.replace("# todo 2", "# done 2"), "utf8")
    assert [(a.key, a.skipped) for a in oracle(tasks)] == [(tasks[2].key, False)]


@pytest.mark.parametrize("name", FORMATS)
def test_files_oracle_takes_corrections_of_earlier_rounds(tmp_path: Path, name: str) -> None:
    tasks = [
        replace(task, doc=Doc(NLP.vocab, words=task.doc.text.split())) for task in make_tasks()
    ]
    list(begun(tmp_path, name)(tasks))
    oracle = begun(tmp_path, name)  # as after a restart
    export(oracle, tasks)
    later = [Task(task_key(9, "Bo came."), NLP.make_doc("Bo came."), 2)]
    for asked in ((), later):
        answers = {answer.key: answer for answer in oracle(asked)}
        doc = answers[tasks[0].key].doc
        assert doc is not None
        assert [token.text for token in doc] == TEXTS[0].split()  # not those of the tokenizer
        assert [ent.text for ent in doc.ents] == ["Ana"]
        assert doc.user_data == {}


def test_files_oracle_keeps_missing_tags(tmp_path: Path) -> None:
    oracle, tasks = begun(tmp_path, "jsonl"), make_tasks()
    line = f'{{"key": "{tasks[0].key}", "text": "{TEXTS[0]}", "state": "labelled", '
    line += '"spans": [{"start": 0, "end": 3, "label": "PER"}], "unknown": [[4, 13]]}'
    (oracle.exports / "mine.jsonl").write_text(line, "utf8")
    (answer,) = oracle(tasks)
    assert answer.doc is not None
    assert [token.ent_iob for token in answer.doc] == [3, 0, 0, 2, 2]


def test_files_oracle_leaves_out_texts_of_others(tmp_path: Path) -> None:
    oracle, tasks = begun(tmp_path, "jsonl"), make_tasks()
    (oracle.exports / "a.jsonl").write_text('{"key": "7-ab", "text": "Who?", "spans": []}', "utf8")
    assert list(oracle(tasks)) == []
    assert [note.kind for note in oracle.notes] == ["not placed"]


def test_files_oracle_names_file_and_line_of_a_damaged_export(tmp_path: Path) -> None:
    oracle, tasks = begun(tmp_path, "doccano"), make_tasks()
    list(oracle(tasks))
    bad = oracle.exports / "all.jsonl"
    bad.write_text('{"text": "Later.", "label": []}\n{"text": "Ana', "utf8")
    with pytest.raises(SeqMixError, match=r"\[S530\] .*all\.jsonl, line 2"):
        list(oracle(tasks))
    assert (tmp_path / "tasks" / "round-01.jsonl").exists()


def test_files_oracle_refuses_other_labels(tmp_path: Path) -> None:
    oracle, tasks = begun(tmp_path, "brat", labels=["LOC"]), make_tasks()
    list(oracle(tasks))
    export(oracle, tasks)
    with pytest.raises(SeqMixError, match=r"\[S645\] .*0-.*\.ann.*'PER'"):
        list(oracle(tasks))


def test_files_oracle_refuses_an_unknown_format() -> None:
    with pytest.raises(SeqMixError, match=r"\[S640\] .*'argilla'.*brackets, label-studio"):
        make_files_oracle("argilla")
