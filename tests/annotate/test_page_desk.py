"""Which text each tab gets, what an answer may be, and that none is lost."""

from __future__ import annotations

import errno
import json
import os
from datetime import datetime, timedelta

import pytest

from spacy_seqmix.active.answers import AnswerFile
from spacy_seqmix.active.asking import Asking
from spacy_seqmix.active.run_folder import RunFolder
from spacy_seqmix.annotate.page import rows
from spacy_seqmix.annotate.page.desk import GONE, LEFT, SILENT, is_blind
from spacy_seqmix.annotate.page.rows import posted_answer
from spacy_seqmix.annotate.page_oracle import make_page_oracle
from spacy_seqmix.errors import SeqMixError, SeqMixFileError

from .fake_loop import TEXTS, FakeLoop


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def loop(tmp_path):
    return FakeLoop(tmp_path / "run", n=4)


def body(loop, number=0, spans=(), **more):
    """What a tab sends."""
    doc = loop.nlp.make_doc(loop.texts[number])
    tokens = [[token.idx, token.idx + len(token)] for token in doc]
    rows = [{"start": s, "end": e, "label": label} for s, e, label in spans]
    given = {"id": f"answer-{number:04d}", "key": loop.key(number), "text": doc.text}
    return {**given, "tokens": tokens, "state": "labelled", "spans": rows, **more}


def post(loop, desk, number=0, spans=(), **more):
    desk.answer(posted_answer(body(loop, number, spans, **more), {"PER", "ORG", "LOC"}))


def keys(tasks):
    return [task.key for task in tasks]


def test_page_desk_gives_two_tabs_different_texts_and_each_once(loop):
    desk = loop.desk()
    one = keys(desk.hand_out("one", [], 2))
    two = keys(desk.hand_out("two", [], 2))
    assert [*one, *two] == [loop.key(i) for i in range(4)]
    assert keys(desk.hand_out("one", one, 2)) == [loop.key(4), loop.key(5)]  # the reserve
    assert desk.hand_out("two", two, 2) == []


def test_page_desk_gives_what_a_tab_gave_back(loop):
    desk = loop.desk()
    one = keys(desk.hand_out("one", [], 3))
    desk.hand_out("one", one[:1], 0)
    assert keys(desk.hand_out("two", [], 1)) == one[1:2]
    desk.release("one")
    assert keys(desk.hand_out("three", [], 1)) == one[:1]


def test_page_desk_waits_for_a_silent_tab_but_not_for_ever(loop):
    clock = Clock()
    desk = loop.desk(clock=clock)
    one = keys(desk.hand_out("one", [], 6))
    clock.now = LEFT - 1
    assert desk.hand_out("two", [], 1) == []
    clock.now = LEFT + 1
    assert keys(desk.hand_out("two", [], 1)) == one[:1]
    clock.now = GONE + 1
    assert keys(desk.hand_out("two", one[:1], 5)) == one[1:]


def test_page_desk_prefers_the_batch_of_a_silent_tab_to_the_reserve(loop):
    clock = Clock()
    desk = loop.desk(clock=clock)
    one = keys(desk.hand_out("one", [], 4))
    clock.now = SILENT - 1
    two = keys(desk.hand_out("two", [], 1))
    assert two == [loop.key(4)]
    clock.now = SILENT + 1
    assert keys(desk.hand_out("two", two, 2)) == one[:2]
    assert desk.held_by_others("one") == {loop.key(4), *one[:2]}


def test_page_desk_keeps_the_texts_of_a_tab_that_is_heard(loop):
    clock = Clock()
    desk = loop.desk(clock=clock)
    one = keys(desk.hand_out("one", [], 6))
    for clock.now in (15.0, 30.0, 45.0):
        desk.heard("one", one)
        assert desk.hand_out("two", [], 1) == []


def test_page_desk_reads_new_tasks_and_their_suggestions(loop):
    desk = loop.desk()
    assert desk.hand_out("one", [], 1)[0].suggestions is None
    loop.ask(round_=1, suggest={"Mara Quill": ("PER", 0.75)}, numbers=[3, 0])
    first, second = desk.hand_out("one", [], 2)
    assert (first.key, first.round, first.suggestions) == (loop.key(3), 1, ())
    assert second.suggestions == ((0, 10, "PER", 0.75),)


def test_page_desk_keeps_an_answer_once(loop):
    desk = loop.desk()
    for _ in range(2):
        post(loop, desk, 0, [(0, 10, "PER")], who="Ada", seconds=4.5)
    again = loop.desk()  # as after a restart
    post(loop, again, 0, [(0, 10, "PER")])
    (line,) = loop.answers()
    assert (line.who, line.seconds, line.state) == ("Ada", 4.5, "labelled")
    assert loop.given() == {TEXTS[0]: [("Mara Quill", "PER")]}
    assert loop.key(0) not in keys(again.hand_out("one", [], 6))


def test_page_desk_takes_the_last_answer_to_a_text(loop):
    desk = loop.desk()
    post(loop, desk, 0, [(0, 10, "PER")])
    post(loop, desk, 1, id="answer-of-another")
    post(loop, desk, 0, [(21, 31, "LOC")], id="answer-corrected", base="answer-0000")
    post(loop, desk, 3, state="skipped", spans=[(0, 3, "PER")], id="answer-skipped")
    assert loop.given() == {TEXTS[1]: [], TEXTS[0]: [("Port Elder", "LOC")]}
    count, done = desk.done(limit=2)
    assert (count, keys(done)) == (3, [loop.key(3), loop.key(0)])
    assert done[0].spans == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"key": "0-0000000000"}, "the key is not that of the text"),
        ({"key": "../../x"}, "the key is not that of the text"),
        ({"key": "9" * 5000 + "-0000000000"}, "the key is not that of the text"),
        ({"text": "Another text."}, "the key is not that of the text"),
        ({"spans": [{"start": 1, "end": 10, "label": "PER"}]}, "begin and end with a token"),
        ({"spans": [{"start": 0, "end": 99, "label": "PER"}]}, "no stretch of the text"),
        ({"spans": [{"start": 5, "end": 4, "label": "PER"}]}, "no stretch of the text"),
        ({"spans": [{"start": -1, "end": 4, "label": "PER"}]}, "spans.0.start"),
        ({"spans": [{"start": 0, "end": 4, "label": "DATE"}]}, "no label 'DATE'"),
        ({"state": "perhaps"}, "state"),
        ({"id": "1"}, "it has no id"),
        ({"seconds": -1}, "seconds"),
    ],
)
def test_page_desk_refuses_what_is_no_answer(loop, change, reason):
    with pytest.raises(SeqMixError, match=r"^\[S683\]") as caught:
        posted_answer({**body(loop), **change}, {"PER"})
    assert reason in str(caught.value)


def test_page_desk_refuses_overlapping_entities(loop):
    spans = [(0, 10, "PER"), (5, 10, "ORG")]
    with pytest.raises(SeqMixError, match="overlap"):
        posted_answer(body(loop, 0, spans), {"PER", "ORG"})


@pytest.mark.parametrize("given", [[], "text", None, 3])
def test_page_desk_refuses_other_json(given):
    with pytest.raises(SeqMixError, match=r"^\[S683\]"):
        posted_answer(given, {"PER"})


def test_page_desk_does_not_count_what_a_full_disk_did_not_take(loop, monkeypatch):
    desk = loop.desk()
    post(loop, desk, 0)

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(SeqMixFileError, match=r"^\[S411\]"):
            post(loop, desk, 1, id="answer-on-full-disk")
    assert keys(desk.all()) == [loop.key(0)]
    post(loop, desk, 1, id="answer-on-full-disk")  # as the tab tries it again
    assert keys(loop.answers()) == [loop.key(0), loop.key(1)]


def test_page_desk_goes_on_after_a_torn_line(loop):
    post(loop, loop.desk(), 0)
    with loop.file.path.open("ab") as file:
        file.write(b'{"key": "1-')
    post(loop, loop.desk(), 2)
    assert keys(loop.answers()) == [loop.key(0), loop.key(2)]


def test_page_desk_has_answers_to_texts_that_are_no_longer_asked(loop):
    desk = loop.desk()
    loop.ask(round_=1, numbers=[2, 3])
    post(loop, desk, 0)
    assert keys(loop.answers()) == [loop.key(0)]


def test_page_desk_refuses_to_replace_an_answer_that_the_tab_has_not_seen(loop):
    desk = loop.desk()
    post(loop, desk, 0, [(0, 10, "PER")])
    for base in ("", "answer-of-another"):
        with pytest.raises(SeqMixError) as caught:
            post(loop, desk, 0, id="answer-of-ben", base=base)
        assert caught.value.code == "S693"
    assert desk.last(loop.key(0)).id == "answer-0000"
    assert desk.answered([loop.key(1), loop.key(0)]) == [loop.key(0)]
    post(loop, desk, 0, id="answer-of-ben", base="answer-0000")
    post(loop, desk, 0, id="answer-of-ben", base="answer-0000")  # it is sent again
    assert len(loop.answers()) == 2


def test_page_desk_takes_back_a_label_that_no_text_has(loop):
    desk = loop.desk()
    post(loop, desk, 0, [(0, 10, "PER")])
    desk.add_label("role")
    desk.add_label("role")  # it is asked again
    for name, reason in (("Role", "there is 'role' already"), ("A;B", "it has a semicolon")):
        with pytest.raises(SeqMixError, match=reason):
            desk.add_label(name)
    desk.remove_label("role")
    with pytest.raises(SeqMixError) as caught:
        desk.remove_label("PER")
    assert caught.value.code == "S681"
    assert [one.name for one in loop.desk().labels] == ["PER", "ORG", "LOC"]


def test_page_desk_keeps_its_only_label(tmp_path):
    desk = FakeLoop(tmp_path / "run", labels=["PER"]).desk()
    with pytest.raises(SeqMixError) as caught:
        desk.remove_label("PER")
    assert caught.value.code == "S682"
    assert [one.name for one in desk.labels] == ["PER"]


@pytest.mark.parametrize("step", [-1.0, 0.0, 0.0001, 1.0])
def test_page_desk_offers_older_texts_for_a_new_label(loop, monkeypatch, step):
    """Whatever the clock does meanwhile: ``step`` is what it adds each time it is read."""

    class Clock(datetime):
        read = 0

        @classmethod
        def now(cls, tz=None):
            cls.read += 1
            return datetime(2100, 1, 1, tzinfo=tz) + timedelta(seconds=step * cls.read)

    monkeypatch.setattr(rows, "datetime", Clock)
    desk = loop.desk()
    post(loop, desk, 0)
    post(loop, desk, 1, state="skipped")
    desk.add_label("DATE ✓")
    assert [label.name for label in desk.labels] == ["PER", "ORG", "LOC", "DATE ✓"]
    assert desk.older() == {"DATE ✓": 1}
    assert keys(desk.done(before="DATE ✓")[1]) == [loop.key(0)]
    post(loop, desk, 0, id="second-look", base="answer-0000")
    assert desk.older() == {}
    assert [label.name for label in loop.desk().labels] == ["PER", "ORG", "LOC", "DATE ✓"]


def test_page_desk_hides_suggestions_of_blind_texts_and_keeps_them(loop):
    loop.ask(round_=1, suggest={"Mara Quill": ("PER", 0.75)})
    desk = loop.desk(blind=1.0)
    task = desk.hand_out("one", [], 1)[0]
    assert (task.blind, task.suggestions) == (True, None)
    post(loop, desk, 0, [(0, 10, "ORG")], blind=True, hidden=[[0, 4, "LOC", None]])
    (line,) = loop.answers()
    assert line.hidden == ((0, 10, "PER", 0.75),)
    assert loop.desk().hand_out("one", [], 1)[0].blind is False


def test_page_desk_chooses_blind_texts_by_their_keys():
    chosen = [is_blind(f"{number}-x", 0.1) for number in range(5000)]
    assert 400 < sum(chosen) < 600
    assert chosen == [is_blind(f"{number}-x", 0.1) for number in range(5000)]
    assert not any(is_blind(f"{number}-x", 0.0) for number in range(100))
    assert all(is_blind(f"{number}-x", 1.0) for number in range(100))


def test_page_desk_hands_over_what_the_loop_has_not_read(loop):
    desk, path = loop.desk(), loop.run_dir / "answers.jsonl"
    desk.hand_over(loop.run_dir)
    assert not path.exists()
    docs = {i: loop.nlp.make_doc(text) for i, text in enumerate(loop.texts)}
    asking = Asking(make_page_oracle(), RunFolder(loop.run_dir), docs, loop.nlp)
    asking.oracle.begin(loop.run_dir, loop.nlp)
    post(loop, desk, 0, [(21, 31, "LOC"), (0, 10, "PER")], who="Ada")
    post(loop, desk, 1)
    assert asking.ask((), 0)
    post(loop, desk, 1, [(0, 6, "PER")], id="answer-corrected", base="answer-0001")
    post(loop, desk, 3, [(14, 20, "LOC"), (0, 8, "PER")], id="answer-unsorted", seconds=2.5)
    post(loop, desk, 2, state="skipped")
    for _ in range(2):
        desk.hand_over(loop.run_dir)
    read = AnswerFile(path).read()
    given = {k: (r.state, [(s.start, s.label) for s in r.spans]) for k, r in read.items()}
    assert given == {
        loop.key(0): ("labelled", [(0, "PER"), (21, "LOC")]),
        loop.key(1): ("labelled", [(0, "PER")]),
        loop.key(2): ("skipped", []),
        loop.key(3): ("labelled", [(0, "PER"), (14, "LOC")]),
    }
    assert (read[loop.key(0)].who, read[loop.key(3)].seconds) == ("Ada", 2.5)
    assert len(AnswerFile(path).lines()) == 5
    asking.oracle.begin(loop.run_dir, loop.nlp)  # a training that goes on finds nothing new
    asking.read([])
    assert not asking.ask((), 0)


def test_page_desk_names_a_damaged_file(loop):
    loop.file.path.write_text(json.dumps({"key": "x"}) + "\n", "utf8")
    with pytest.raises(SeqMixError, match=r"answers\.jsonl, line 1"):
        loop.desk()


def test_page_desk_lists_what_was_skipped_and_what_has_a_label(loop):
    desk = loop.desk()
    post(loop, desk, 0, [(0, 10, "PER"), (21, 31, "LOC")])
    post(loop, desk, 1, state="skipped")
    post(loop, desk, 3, [(0, 8, "PER")])
    assert keys(desk.done(skipped=True)[1]) == [loop.key(1)]
    assert keys(desk.done(label="PER")[1]) == [loop.key(3), loop.key(0)]
    assert desk.done(label="LOC", limit=1)[0] == 1
    assert desk.done(label="ORG") == (0, [])
