"""The file of answers: what it keeps, and what it survives."""

import json
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, Span

from spacy_seqmix.active.answers import AnswerFile, AnswerRecord
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.types import Answer, Suggestion

NLP = spacy.blank("en")
TEXT = "Ada 👩‍💻 met Łukasz\u00a0in عمان today"


def record(key: str = "0-a", text: str = "Ada met Bob", **values: object) -> AnswerRecord:
    return AnswerRecord(key=key, state="labelled", text=text, **values)  # type: ignore[arg-type]


def labelled(text: str = TEXT, *labels: tuple[int, int, str], missing: int | None = None) -> Doc:
    doc = NLP.make_doc(text)
    unknown = [] if missing is None else [doc[missing : missing + 1]]
    doc.set_ents([Span(doc, *one) for one in labels], missing=unknown, default="outside")
    return doc


@pytest.fixture
def file(tmp_path: Path) -> AnswerFile:
    return AnswerFile(tmp_path / "run" / "answers.jsonl")


def test_answers_read_what_was_appended(file: AnswerFile) -> None:
    assert file.lines() == []
    one, two = record("0-a"), record("1-b", spans=[{"start": 0, "end": 3, "label": "PER"}])
    file.append(one)
    file.append()
    AnswerFile(file.path).append(two)
    assert file.lines() == AnswerFile(file.path).lines() == [one, two]
    raw = [json.loads(line) for line in file.path.read_text("utf8").splitlines()]
    assert raw[1] == {
        **{"key": "1-b", "state": "labelled", "text": "Ada met Bob"},
        "spans": [{"start": 0, "end": 3, "label": "PER"}],
        **{"who": "", "seconds": None, "shown": None, "at": "", "round": 0},
    }


def test_answers_last_one_wins(file: AnswerFile) -> None:
    file.append(record("0-a"), record("1-b"))
    later = AnswerRecord(key="0-a", state="skipped", text="Ada met Bob")
    file.append(later)
    assert list(file.read().items()) == [("0-a", later), ("1-b", record("1-b"))]


@pytest.mark.parametrize("cut", [1, 2, 30])
def test_answers_torn_last_line_is_ignored_and_cut_off(file: AnswerFile, cut: int) -> None:
    file.append(record("0-a"), record("1-é"))
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[:-cut])
    # without its line end alone the line is whole
    left = [record("0-a"), record("1-é")] if cut == 1 else [record("0-a")]
    assert file.lines() == left
    for writer in (file, AnswerFile(file.path)):
        writer.append(record("2-c"))
    assert file.lines() == [*left, record("2-c"), record("2-c")]


def test_answers_damaged_line_is_named(file: AnswerFile) -> None:
    file.append(record("0-a"))
    with file.path.open("a") as out:
        out.write('\n{"key": "1-b", "state": "perhaps", "text": ""}\n')
    with pytest.raises(SeqMixError, match=r"answers.jsonl, line 3: .*state: Input should") as error:
        file.read()
    assert error.value.code == "S611"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"spans": [{"start": 0, "end": 12, "label": "A"}]}, "no stretch"),
        ({"spans": [{"start": 2, "end": 2, "label": "A"}]}, "no stretch"),
        ({"unknown": [(9, 12)]}, "no stretch"),
        ({"spans": [{"start": s, "end": s + 3, "label": "A"} for s in (2, 0)]}, "overlap at"),
        ({"spans": [{"start": 0, "end": 2, "label": ""}]}, "at least 1"),
        ({"seconds": -1}, "greater than"),
    ],
)
def test_answers_wrong_values_are_refused(values: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        record(**values)


def test_answers_full_disk_leaves_no_torn_line(file: AnswerFile) -> None:
    file.append(record("0-a"))
    before = file.path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, limits[1]))
    try:
        with pytest.raises(SeqMixError, match="File too large") as error:
            file.append(record("1-b"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error.value.code == "S411"
    assert file.path.read_bytes() == before
    file.append(record("1-b"))
    assert list(file.read()) == ["0-a", "1-b"]


def test_answers_keep_a_labelled_doc() -> None:
    task = NLP.make_doc(TEXT)
    doc = labelled(TEXT, (0, 1, "PER"), (4, 5, "PER"), missing=2)
    shown = (Suggestion(0, 2, "PER", 0.5), Suggestion(4, 5, "LOC"))
    answer = Answer("0-a", doc, "ada", 1.5, shown)
    one = AnswerRecord.of(answer, task, 3)
    assert [TEXT[s.start : s.end] for s in one.spans] == [ent.text for ent in doc.ents]
    assert [TEXT[start:end] for start, end in one.unknown] == [doc[2].text]
    assert (one.round, one.doc, one.at[-6:]) == (3, None, "+00:00")
    again = AnswerRecord.model_validate_json(one.line()).answer(task, NLP, Path("x"))
    assert again.doc is not None
    assert [t.ent_iob for t in again.doc] == [t.ent_iob for t in doc]
    assert [(e.start, e.end, e.label_) for e in again.doc.ents] == [(0, 1, "PER"), (4, 5, "PER")]
    assert (again.who, again.seconds, again.shown) == ("ada", 1.5, shown)


def test_answers_keep_the_three_states() -> None:
    task = NLP.make_doc(TEXT)
    empty = AnswerRecord.of(Answer("0-a", labelled()), task, 0)
    skipped = AnswerRecord.of(Answer("0-a", None), task, 0)
    assert (empty.skipped, skipped.skipped) == (False, True)
    doc = empty.answer(task, NLP, Path("x")).doc
    assert doc is not None
    assert {token.ent_iob_ for token in doc} == {"O"}
    assert skipped.answer(task, NLP, Path("x")).doc is None
    with pytest.raises(SeqMixError, match="answer to 0-a has no annotation") as error:
        AnswerRecord.of(Answer("0-a", NLP.make_doc(TEXT)), task, 0)
    assert error.value.code == "S613"


def test_answers_keep_what_is_no_entity() -> None:
    task = NLP.make_doc("Ada met Bob")
    doc = NLP.make_doc("Ada met Bob")
    for token, tag in zip(doc, ("NNP", "VBD", "NNP"), strict=True):
        token.tag_ = tag
    doc.spans["sc"] = [Span(doc, 0, 2, "X"), Span(doc, 1, 3, "Y")]
    one = AnswerRecord.of(Answer("0-a", doc), task, 0)
    again = one.answer(task, spacy.blank("en"), Path("x")).doc
    assert again is not None
    assert [t.tag_ for t in again] == ["NNP", "VBD", "NNP"]
    assert [(s.start, s.end, s.label_) for s in again.spans["sc"]] == [(0, 2, "X"), (1, 3, "Y")]


@pytest.mark.parametrize(
    ("doc", "what"),
    [
        (labelled("Ada met Eve"), "text"),
        (Doc(NLP.vocab, words=["Ada", "met Bob"], spaces=[True, False]), "tokens"),
    ],
)
def test_answers_to_another_text_are_refused(doc: Doc, what: str) -> None:
    task = NLP.make_doc("Ada met Bob")
    with pytest.raises(SeqMixError, match=f"0-a does not have the {what}") as error:
        AnswerRecord.of(Answer("0-a", doc), task, 0)
    assert error.value.code == "S612"


def test_answers_that_cut_tokens_are_refused() -> None:
    task = NLP.make_doc("Ada met Bob")
    one = record("0-a", spans=[{"start": 0, "end": 2, "label": "PER"}])
    with pytest.raises(SeqMixError, match="0-a does not have the tokens"):
        one.answer(task, NLP, Path("x"))
    with pytest.raises(SeqMixError, match="0-a does not have the text"):
        record("0-a").answer(NLP.make_doc("Ada met Eve"), NLP, Path("x"))


@pytest.mark.parametrize("damaged", ["!", "AAAA", "bm8gRG9jQmlu"])
def test_answers_with_a_damaged_doc_name_file_and_key(damaged: str) -> None:
    one = record("0-a", doc=damaged)
    with pytest.raises(SeqMixError, match=r"a\.jsonl: the answer to 0-a can't be used") as error:
        one.answer(NLP.make_doc("Ada met Bob"), NLP, Path("a.jsonl"))
    assert error.value.code == "S617"


@pytest.mark.parametrize(
    ("layer", "annotate", "known"),
    [
        ("ents", lambda doc: setattr(doc[0], "tag_", "NN"), False),
        ("ents", lambda doc: doc.user_data.update(a=1), False),
        ("ents", lambda doc: doc.set_ents([]), True),
        ("tags", lambda doc: doc.set_ents([]), False),
        ("tags", lambda doc: [setattr(t, "tag_", "NN") for t in doc], True),
        ("spans:sc", lambda doc: doc.set_ents([]), False),
        ("spans:sc", lambda doc: doc.spans.update(sc=[]), True),
        ("relations", lambda doc: doc.set_ents([]), True),
        ("relations", lambda doc: setattr(doc[0], "tag_", "NN"), False),
        (None, lambda doc: setattr(doc[0], "tag_", "NN"), True),
    ],
)
def test_answers_need_the_annotation_that_is_learnt(
    layer: str | None, annotate: Callable[[Doc], object], known: bool
) -> None:
    doc = NLP.make_doc("Ada met Bob")
    annotate(doc)
    if known:
        assert not AnswerRecord.of(Answer("0-a", doc), doc, 0, layer).skipped
        return
    with pytest.raises(SeqMixError, match=r"S613\].*0-a has no annotation"):
        AnswerRecord.of(Answer("0-a", doc), doc, 0, layer)
