"""The oracle that asks by files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc
from thinc.api import Config

from spacy_seqmix.active.answers import AnswerFile
from spacy_seqmix.active.config import check_layer
from spacy_seqmix.active.loop import ActiveRun
from spacy_seqmix.active.schema import ActiveSchema
from spacy_seqmix.annotate.files_oracle import FilesOracle, make_files_oracle
from spacy_seqmix.annotate.formats import FORMATS
from spacy_seqmix.annotate.page_oracle import make_page_oracle
from spacy_seqmix.annotation.texts import task_key
from spacy_seqmix.convert import to_markup
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.types import Answer, Oracle, Suggestion, Task

from ..active.conftest import configure as configure
from ..active.conftest import files as files
from ..active.conftest import write_files as write_files
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
        if not FORMATS[name].in_place:  # no new file comes with answers
            oracle = begun(tmp_path, name)
        answers = {answer.key: answer for answer in oracle(asked)}
        doc = answers[tasks[0].key].doc
        assert doc is not None
        assert [token.text for token in doc] == TEXTS[0].split()  # not those of the tokenizer
        assert [ent.text for ent in doc.ents] == ["Ana"]
        assert doc.user_data == {}


def test_files_oracle_warns_of_spans_that_were_moved(tmp_path: Path) -> None:
    oracle, tasks = begun(tmp_path, "jsonl"), make_tasks()
    list(oracle(tasks))
    spans = [{"start": 0, "end": 2, "label": "PER"}]
    row = {"key": tasks[0].key, "text": TEXTS[0], "spans": spans}
    (oracle.exports / "mine.jsonl").write_text(json.dumps(row), "utf8")
    with pytest.warns(UserWarning, match=r"\[W640\] .*mine\.jsonl, line 1: snapped: 'An' \(PER\)"):
        (answer,) = oracle(tasks)
    assert ents(answer) == ["Ana"]
    assert list(oracle(tasks)) == []  # no file has changed
    (oracle.exports / "more.jsonl").write_text('{"text": "Later.", "spans": []}', "utf8")
    assert len(list(oracle(tasks))) == 2  # and no warning again


def test_files_oracle_takes_answers_that_came_before_the_question(tmp_path: Path) -> None:
    oracle, tasks = begun(tmp_path, "prodigy"), make_tasks()
    row = {"text": TEXTS[3], "seqmix_key": tasks[3].key, "answer": "accept", "tokens": []}
    (oracle.exports / "all.jsonl").write_text(json.dumps(row), "utf8")
    with pytest.warns(UserWarning, match="W640.*not placed"):
        assert list(oracle(tasks[:2])) == []
    assert [answer.key for answer in oracle(tasks)] == [tasks[3].key]


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
    with pytest.warns(UserWarning, match=r"W640.*not placed: the pool has no such text"):
        assert list(oracle(tasks)) == []
    assert [note.kind for note in oracle.sent.notes] == ["not placed"]


def test_files_oracle_leaves_out_damaged_lines_until_they_are_corrected(tmp_path: Path) -> None:
    oracle, tasks = begun(tmp_path, "doccano"), make_tasks()
    list(oracle(tasks))
    path = oracle.exports / "all.jsonl"
    good, cut = '{"text": "Later.", "label": [[0, 5, "X"]]}\n', '{"text": "Ana'
    path.write_text(good + cut, "utf8")
    with pytest.warns(UserWarning, match=r"\[W540\] .*\[S530\] .*all\.jsonl, line 2"):
        assert [answer.key for answer in oracle(tasks)] == [tasks[2].key]
    path.write_text(f'{good}{cut} left Oslo 🙂.", "label": [[0, 3, "PER"]]}}', "utf8")
    assert [answer.key for answer in oracle(tasks)] == [tasks[2].key, tasks[0].key]


def test_files_oracle_waits_for_a_file_that_is_being_copied(tmp_path: Path) -> None:
    oracle, tasks = begun(tmp_path, "label-studio"), make_tasks()
    list(oracle(tasks))
    (oracle.exports / "readme.txt").write_text("All exports.", "utf8")
    (oracle.exports / "old").mkdir()
    made = export(oracle, tasks).parent / "answers" / "project-1-export.json"
    whole = made.read_bytes()
    made.write_bytes(whole[:300])
    with pytest.warns(UserWarning, match="W640") as found:
        assert list(oracle(tasks)) == []
    texts = " ".join(str(one.message) for one in found)
    for name, code in (("project-1-export.json", "S530"), ("readme.txt", "S530"), ("old", "S501")):
        assert f"answers/{name}: refused: [{code}]" in texts
    assert "of the answers so far 3 refused" in oracle.advise(tasks)
    made.write_bytes(whole)
    assert [answer.key for answer in oracle(tasks)] == [tasks[0].key, tasks[1].key, tasks[3].key]


def test_files_oracle_leaves_out_other_labels(tmp_path: Path) -> None:
    oracle, tasks = begun(tmp_path, "brat", labels=["LOC"]), make_tasks()
    list(oracle(tasks))
    export(oracle, tasks)
    with pytest.warns(UserWarning, match=r"\[W640\] .*refused: \[S645\] .*0-.*\.ann.*'PER'"):
        assert [answer.key for answer in oracle(tasks)] == [tasks[1].key, tasks[3].key]
    assert "of the answers so far 1 refused" in oracle.advise(tasks)


def test_files_oracle_leaves_out_answers_that_say_nothing(tmp_path: Path) -> None:
    oracle, tasks = begun(tmp_path, "jsonl"), make_tasks()
    rows = [{"text": TEXTS[0], "spans": [], "unknown": [[0, len(TEXTS[0])]]}]
    rows += [{"text": TEXTS[2], "spans": [], "unknown": [unknown]} for unknown in ([0, 99],)]
    rows += [{"text": TEXTS[3], "spans": [], "unknown": [[0, 6]], "seconds": -5}]
    path = oracle.exports / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf8")
    with pytest.warns(UserWarning, match="W640") as found:
        (answer,) = oracle(tasks)
    assert answer.key == tasks[3].key
    assert answer.seconds is None
    texts = [str(one.message) for one in found]
    assert "line 1: refused: all tags of the text are unknown" in texts[0]
    assert "line 2: refused: [S641]" in texts[1]


def test_files_oracle_says_which_answers_it_could_not_place(tmp_path: Path) -> None:
    oracle, tasks = begun(tmp_path, "brackets"), make_tasks()
    list(oracle(tasks))
    path = tmp_path / "tasks" / "round-01.txt"
    text = path.read_text("utf8").replace("# todo 2", "# done 2")
    path.write_text(text.replace("[X Later]", "Latter"), "utf8")
    with pytest.warns(
        UserWarning, match=r"\[W640\] .*not placed: the text was changed: 'Latter\.'"
    ):
        assert list(oracle(tasks)) == []
    assert "of the answers so far 1 not placed" in oracle.advise(tasks)


def test_files_oracle_says_that_it_counts_one_person(tmp_path: Path) -> None:
    oracle, tasks = begun(tmp_path, "jsonl", annotators="eva"), make_tasks()
    list(oracle(tasks))
    line = '{"text": "Later.", "spans": [], "who": "bob"}'
    (oracle.exports / "a.jsonl").write_text(line, "utf8")
    with pytest.warns(UserWarning, match=r"replaced: labelled by bob, not by eva"):
        assert list(oracle(tasks)) == []
    assert "of the answers so far 1 replaced" in oracle.advise(tasks)


def test_files_oracle_takes_the_newest_of_two_exports(tmp_path: Path) -> None:
    oracle, tasks = begun(tmp_path, "doccano"), make_tasks()
    list(oracle(tasks))
    for n, (name, label) in enumerate([("project.jsonl", "OLD"), ("project (1).jsonl", "NEW")]):
        path = oracle.exports / name
        path.write_text(json.dumps({"text": "Later.", "label": [[0, 5, label]]}), "utf8")
        os.utime(path, (1000 + n, 1000 + n))
    with pytest.warns(UserWarning, match=r"project\.jsonl, line 1: replaced"):
        (answer,) = oracle(tasks)
    assert answer.doc is not None
    assert [ent.label_ for ent in answer.doc.ents] == ["NEW"]


def test_files_oracle_compares_the_times_of_answers_with_those_of_files(tmp_path: Path) -> None:
    oracle, tasks = begun(tmp_path, "jsonl"), make_tasks()
    list(oracle(tasks))
    row = {"text": "Later.", "spans": [], "at": "2026-01-02T10:00:00+00:00"}
    (oracle.exports / "b.jsonl").write_text(json.dumps(row), "utf8")
    path = oracle.exports / "a.jsonl"
    path.write_text('{"text": "Later.", "state": "skipped", "who": ""}', "utf8")
    os.utime(oracle.exports / "b.jsonl", (1, 1))  # copied: its answers have times
    os.utime(path, (1767348000 + 60, 1767348000 + 60))  # 10:01
    path.write_text('{"text": "Later.", "spans": [{"start": 0, "end": 5, "label": "X"}]}', "utf8")
    os.utime(path, (1767348000 - 60, 1767348000 - 60))  # 9:59
    with pytest.warns(UserWarning, match=r"a\.jsonl, line 1: replaced"):
        (answer,) = oracle(tasks)
    assert ents(answer) == []
    os.utime(path, (1767348000 + 60, 1767348000 + 60))  # 10:01
    with pytest.warns(UserWarning, match=r"b\.jsonl, line 1: replaced"):
        (answer,) = oracle(tasks)
    assert ents(answer) == ["Later"]


@pytest.mark.parametrize("name", ["brackets", "brat"])
def test_files_oracle_does_not_read_copies_of_its_tasks(tmp_path: Path, name: str) -> None:
    oracle, tasks = begun(tmp_path, name), make_tasks()
    list(oracle(tasks))
    path = oracle._task_files()[0]
    copied = path.with_name(f"round-01 (copy){path.suffix}")
    (shutil.copytree if path.is_dir() else shutil.copy)(path, copied)
    export(oracle, tasks)
    again = begun(tmp_path, name)
    assert again._task_files() == [path]
    assert len(list(again(tasks))) == 3


def test_files_oracle_knows_what_was_shown_after_a_restart(tmp_path: Path) -> None:
    oracle, tasks = begun(tmp_path, "brackets"), make_tasks()
    tasks[1] = replace(tasks[1], suggestions=None)
    list(oracle(tasks))
    export(oracle, tasks)
    answers = {answer.key: answer for answer in begun(tmp_path, "brackets")(())}
    assert answers[tasks[0].key].shown == (Suggestion(0, 1, "X", 0.5),)
    assert answers[tasks[1].key].shown is None


def test_files_oracle_refuses_an_unknown_format() -> None:
    with pytest.raises(SeqMixError, match=r"\[S640\] .*'argilla'.*brackets, label-studio"):
        make_files_oracle("argilla")


@pytest.mark.parametrize("name", ["brackets", "label-studio"])
def test_files_oracle_drives_a_run(
    tmp_path: Path, configure: Callable[..., Config], all_news: list[Doc], name: str
) -> None:
    gold = {doc.text: doc for doc in all_news}
    (tmp_path / "texts.txt").write_text("\n".join(doc.text for doc in all_news[:22]), "utf8")
    config = configure(
        {
            "paths.pool": str(tmp_path / "texts.txt"),
            "active.mixing": None,
            "active.n_rounds": 1,
            "active.duplicates": None,
        }
    )
    config["active"]["oracle"] = {"@misc": "spacy-seqmix.Files.v1", "format": name}
    skipped: set[str] = set()
    for number, n_tasks in ((0, 8), (0, 1), (1, 4)):
        run = ActiveRun(config, tmp_path / "run", progress=False)
        records = run.run()
        assert len(records) == number
        assert run.waiting is not None
        assert (run.waiting.round, run.waiting.lacking) == (number, n_tasks)
        path = run.asking.oracle._task_files()[-1]  # type: ignore[attr-defined]
        assert str(path) in run.waiting.advice
        rows = list(FORMATS[name].read(path))
        assert len(rows) == n_tasks
        said = {}
        for row in rows:
            spans = [(e.start_char, e.end_char, e.label_) for e in gold[row.text].ents]
            said[row.key] = Said(spans, skipped=not skipped)
            skipped.add(row.text)
        if name == "brackets":
            label_in_place(path, gold, said)
        else:
            export_path = EXPORTS[name](path, said)
            export_path.rename(path.parent / "answers" / f"{path.stem}.json")
    records = ActiveRun(config, tmp_path / "run", progress=False).run()
    assert [record.n_labelled for record in records] == [8, 12]
    assert len([i for record in records for i in record.skipped]) == 1
    lines = AnswerFile(tmp_path / "run" / "answers.jsonl").read().values()
    assert {line.text: [(s.start, s.end, s.label) for s in line.spans] for line in lines} == {
        line.text: []
        if line.skipped
        else [(e.start_char, e.end_char, e.label_) for e in gold[line.text].ents]
        for line in lines
    }


def label_in_place(path: Path, gold: dict[str, Doc], said: dict[str, Said]) -> None:
    """A person in a text editor: writes brackets and states."""
    lines = path.read_text("utf8").split("\n")
    for at, line in enumerate(lines):
        if line.startswith("# todo "):
            key = line.split()[2]
            lines[at] = line.replace("todo", "skip" if said[key].skipped else "done")
            text = next(t for t in gold if key.endswith(task_key(0, t)[2:]))
            lines[at + 1] = to_markup(gold[text])
    path.write_text("\n".join(lines), "utf8")


@pytest.mark.parametrize(
    ("name", "factory", "learns"),
    [
        ("Files", "tagger", "tags"),
        ("Files", "spancat", "spans:sc"),
        ("Files", "textcat", "textcat"),
        ("Page", "seqmix_relations", "relations"),
        ("Files", "seqmix_relations", None),
        ("Page", "ner", None),
        ("Page", "my_factory", None),
    ],
)
def test_oracles_refuse_what_they_never_label(name: str, factory: str, learns: str | None) -> None:
    oracle = make_page_oracle() if name == "Page" else make_files_oracle()
    active = ActiveSchema.model_construct(oracle=oracle, component="x")
    training = Config({"components": {"x": {"factory": factory}}})
    if learns is None:
        check_layer(active, training)
        return
    with pytest.raises(SeqMixError, match=rf"S618\].*'x' learns other annotation \({learns}\)"):
        check_layer(active, training)
