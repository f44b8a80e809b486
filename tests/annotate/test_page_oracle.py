"""The oracle that reads what people label in the page."""

from __future__ import annotations

import pytest
import spacy

from spacy_seqmix.annotate.page_oracle import make_page_oracle
from spacy_seqmix.types import Task

from .fake_loop import TEXTS, FakeLoop
from .test_page_desk import post


@pytest.fixture
def loop(tmp_path):
    return FakeLoop(tmp_path / "run")


def tasks(loop, numbers=(0, 1, 2)):
    return [Task(loop.key(i), loop.nlp.make_doc(loop.texts[i])) for i in numbers]


def begun(loop):
    oracle = make_page_oracle()
    oracle.begin(loop.run_dir, spacy.blank("en"))
    return oracle


def shown(answers):
    return [
        (answer.key, None if answer.doc is None else [(e.text, e.label_) for e in answer.doc.ents])
        for answer in answers
    ]


def test_page_oracle_yields_each_answer_once(loop):
    oracle, desk = begun(loop), loop.desk()
    assert not oracle.needs_gold
    assert str(loop.run_dir) in oracle.advise(tasks(loop))
    assert list(oracle(tasks(loop))) == []
    post(loop, desk, 1)
    post(loop, desk, 0, [(0, 10, "PER")], who="Ada", seconds=2.5, shown=[[0, 4, "PER", 0.5]])
    first, second = oracle(tasks(loop))
    assert shown([first, second]) == [(loop.key(1), []), (loop.key(0), [("Mara Quill", "PER")])]
    assert first.doc.has_annotation("ENT_IOB")
    assert (second.who, second.seconds) == ("Ada", 2.5)
    assert [(s.start, s.end, s.label) for s in second.shown] == [(0, 1, "PER")]
    assert list(oracle(tasks(loop))) == []
    post(loop, desk, 2, state="skipped")
    assert shown(oracle(tasks(loop))) == [(loop.key(2), None)]


def test_page_oracle_yields_corrections_and_texts_that_were_not_asked(loop):
    oracle, desk = begun(loop), loop.desk()
    post(loop, desk, 0, [(0, 10, "PER")])
    post(loop, desk, 2, [(24, 35, "PER")])
    list(oracle(tasks(loop, [0])))
    post(loop, desk, 0, [(0, 4, "PER")], id="answer-corrected", base="answer-0000")
    post(loop, desk, 5, [(18, 29, "ORG")])
    assert sorted(shown(oracle(tasks(loop, [3])))) == [
        (loop.key(0), [("Mara", "PER")]),
        (loop.key(5), [("Inter Cadiz", "ORG")]),
    ]


def test_page_oracle_reads_everything_again_after_a_restart(loop):
    post(loop, loop.desk(), 0, [(0, 10, "PER")])
    list(begun(loop)(tasks(loop)))
    assert shown(begun(loop)(tasks(loop))) == [(loop.key(0), [("Mara Quill", "PER")])]


@pytest.mark.parametrize("lang", ["en", "zh", "ar"])
def test_page_oracle_has_the_tokens_that_the_page_showed(tmp_path, lang):
    text = {
        "en": "A\tlost  👩‍🚀\u00a0of\r Oslo ",
        "zh": "昨天李娜在北京。",
        "ar": "ليلى في القاهرة.",
    }[lang]
    loop = FakeLoop(tmp_path / "run", [text, TEXTS[0]], lang=lang)
    post(loop, loop.desk(), 0)
    oracle = make_page_oracle()
    oracle.begin(loop.run_dir, spacy.blank(lang))
    (answer,) = oracle(tasks(loop, [1]))
    doc = loop.nlp.make_doc(text)
    assert answer.doc.text == text
    assert [(t.text, t.whitespace_) for t in answer.doc] == [(t.text, t.whitespace_) for t in doc]
