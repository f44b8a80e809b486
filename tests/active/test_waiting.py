"""Oracles that wait: the three states, what is kept, and what resumes."""

import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from spacy.tokens import Doc, Span
from thinc.api import Config

from spacy_seqmix.active import round_training
from spacy_seqmix.active.answers import AnswerFile
from spacy_seqmix.active.asked import Asked, Status
from spacy_seqmix.active.loop import ActiveRun
from spacy_seqmix.annotation.docbins import read_docs
from spacy_seqmix.annotation.provenance import doc_key, get_origin, parent_keys
from spacy_seqmix.annotation.texts import EXTRA_KEY
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.query.agreement import agreement
from spacy_seqmix.query.suggestions import suggest
from spacy_seqmix.types import Answer, Oracle, Task

PLAIN = {"active.mixing": None, "active.n_rounds": 1, "active.duplicates": None}


class Person(Oracle):
    """Labels from gold docs, as told by the test.

    plan (Callable): the tasks that are answered at a call, in this order.
    skips (set): texts that are refused.
    """

    def __init__(self, gold: dict[str, Doc]) -> None:
        self.gold = gold
        self.plan: Callable[[Sequence[Task]], Iterable[Task]] = list
        self.skips: set[str] = set()
        self.extra: list[Answer] = []
        self.seen: list[list[str]] = []
        self.begun: list[Path] = []

    def begin(self, run_dir: Path, nlp: Any) -> None:
        self.begun.append(run_dir)

    def advise(self, tasks: Sequence[Task]) -> str:
        return f"label {len(tasks)}"

    def answer(self, task: Task) -> Answer:
        return Answer(task.key, None if task.doc.text in self.skips else self.label(task.doc))

    def label(self, text: Doc) -> Doc:
        doc, gold = _empty(text), self.gold[text.text]
        doc.set_ents([doc.char_span(e.start_char, e.end_char, e.label_) for e in gold.ents])
        return doc

    def __call__(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        self.seen.append([task.key for task in tasks])
        extra, self.extra = self.extra, []
        yield from extra
        yield from map(self.answer, self.plan(tasks))


@pytest.fixture
def person(all_news: list[Doc]) -> Person:
    return Person({doc.text: doc for doc in all_news})


@pytest.fixture
def begin(
    configure: Callable[..., Config], person: Person, tmp_path: Path, all_news: list[Doc]
) -> Callable[..., ActiveRun]:
    """A function that opens a run over raw texts, which the person labels."""
    (tmp_path / "texts.txt").write_text("\n".join(doc.text for doc in all_news[:22]), "utf8")
    texts = {"paths.pool": str(tmp_path / "texts.txt")}

    def make(overrides: dict[str, Any] | None = None, name: str = "run") -> ActiveRun:
        config = configure({**texts, **PLAIN, **(overrides or {})})
        config["active"]["oracle"] = {"@misc": "test.Person.v1"}
        return ActiveRun(config, tmp_path / name, progress=False)

    return make


@pytest.fixture(autouse=True)
def registered(person: Person) -> Iterator[None]:
    from catalogue import REGISTRY
    from spacy.util import registry

    registry.misc("test.Person.v1")(lambda: person)
    yield
    REGISTRY.pop(("spacy", "misc", "test.Person.v1"))


def weights(run: ActiveRun) -> bytes:
    nlp = run._last_model()
    return nlp.get_pipe("seqmix_ner").model.to_bytes()  # type: ignore[attr-defined,no-any-return]


def few(n: int) -> Callable[[Sequence[Task]], Sequence[Task]]:
    return lambda tasks: tasks[:n]


def test_waiting_for_people_needs_the_encoder(begin: Any, person: Person, tmp_path: Path) -> None:
    architecture = "spacy-transformers.TransformerModel.v3"
    lacking = {"@architectures": architecture, "name": str(tmp_path / "no encoder")}
    run = begin()
    run.training["components"]["transformer"] = {"factory": "transformer", "model": lacking}
    with pytest.raises(SeqMixError, match=r"S224.*no encoder"):
        run.run()
    assert person.seen == []


def test_waiting_counts_the_seconds_of_people(begin: Any, person: Person) -> None:
    person.skips = set(list(person.gold)[:6])
    label, seconds = person.answer, iter([2.0] * 99)
    person.answer = lambda task: replace(label(task), seconds=next(seconds))  # type: ignore[method-assign]
    run = begin()
    run.run()
    skipped = [number for one in run.records for number in one.skipped]
    assert skipped
    asked = [number for one in run.records for number in one.queried]
    assert sum(one.seconds_of_people for one in run.records) == 2.0 * len([*asked, *skipped])
    person.answer = label  # type: ignore[method-assign]
    other = begin(name="other")
    other.run()
    assert [one.seconds_of_people for one in other.records] == [None] * len(other.records)


def test_waiting_oracle_that_answers_nothing(begin: Any, person: Person, tmp_path: Path) -> None:
    person.plan = few(0)
    run = begin()
    assert run.run() == []
    waiting = run.waiting
    assert (waiting.round, waiting.lacking, waiting.asked) == (0, 8, 8)
    assert str(waiting) == "Round 0 waits for 8 of 8 texts"
    assert waiting.advice == "label 8"
    assert person.begun == [tmp_path / "run"]
    asked = Asked.read(run.folder.asked)
    assert asked is not None
    assert (asked.header.n, asked.header.policy, asked.header.model) == (8, "random", None)
    assert [text.reserve for text in asked.texts] == [False] * 8 + [True] * 14
    assert all(text.suggestions is None for text in asked.texts)
    status = Status.read(run.folder.status)
    assert status is not None
    assert (status.round, status.phase) == (0, "wait")
    assert not run.folder.answers.exists()
    # the same command again asks the same texts
    again = begin()
    again.run()
    assert Asked.read(run.folder.asked) == asked
    assert person.seen[-1] == person.seen[-3] == [text.key for text in asked.texts[:8]]


def test_waiting_oracle_that_answers_in_parts(begin: Any, person: Person) -> None:
    person.plan = few(8)
    whole = begin(name="whole")
    whole.run()
    person.plan = few(0)
    run = begin()
    run.run()
    for left in (5, 2):
        before = len(person.seen)
        calls = iter([3, 0])
        person.plan = lambda tasks: tasks[: next(calls, 0)] if tasks else []  # noqa: B023
        run = begin()
        run.run()
        assert run.waiting.lacking == left
        assert len(person.seen[before + 1]) == left + 3  # those that lack, no others
        assert len(AnswerFile(run.folder.answers).lines()) == 8 - left
    person.plan = list
    run = begin()
    records = run.run()
    assert run.waiting is None
    assert [r.queried for r in records] == [r.queried for r in whole.records]
    assert weights(run) == weights(whole)
    status = Status.read(run.folder.status)
    assert status is not None
    assert status.phase == "ended"


def test_waiting_order_of_arrival_does_not_matter(begin: Any, person: Person) -> None:
    straight = begin(name="straight")
    straight.run()

    def shuffled(tasks: Sequence[Task]) -> list[Task]:
        order = random.Random(7).sample(tasks, len(tasks))
        return [*order[: max(1, len(order) // 2)], *order[:1]] if order else []

    person.plan = shuffled
    other = begin(name="other")
    other.run()
    assert [r.queried for r in other.records] == [r.queried for r in straight.records]
    assert weights(other) == weights(straight)
    lines = AnswerFile(other.folder.answers).lines()
    assert len(lines) == len({line.key for line in lines}) == 12  # no answer is written twice
    assert [line.key for line in lines] != [
        line.key for line in AnswerFile(straight.folder.answers).lines()
    ]


def test_waiting_skipped_texts_are_replaced(begin: Any, person: Person) -> None:
    person.plan = few(0)
    run = begin()
    run.run()
    asked = Asked.read(run.folder.asked)
    assert asked is not None
    person.skips = {asked.texts[0].text, asked.texts[3].text, asked.texts[8].text}
    person.plan = list
    run = begin()
    first, second = run.run()
    numbers = [text.number for text in asked.texts]
    assert first.queried == [n for k, n in enumerate(numbers[:11]) if k not in (0, 3, 8)]
    assert sorted(first.skipped) == sorted([numbers[0], numbers[3], numbers[8]])
    assert second.skipped == []
    assert not {*first.skipped} & {*second.queried}
    assert begin().pool.skipped == sorted(first.skipped)


def test_waiting_labels_all_texts_where_a_batch_is_larger(begin: Any) -> None:
    (record,) = begin({"active.n_seed": 100, "active.n_rounds": 3}).run()
    assert record.n_labelled == 22
    assert record.end == "pool exhausted"


def test_waiting_all_skipped(begin: Any, person: Person) -> None:
    person.skips = set(person.gold)
    run = begin()
    assert run.run() == []
    assert run.waiting is None
    assert len(run.pool.skipped) == 22


def test_waiting_answers_are_what_is_trained_on(begin: Any, person: Person) -> None:
    run = begin()
    run.run()
    again = begin()
    docs = again.pool.take(again.pool.labelled)
    assert len(docs) == 12
    for doc in docs:
        gold = person.gold[doc.text]
        assert [(e.text, e.label_) for e in doc.ents] == [(e.text, e.label_) for e in gold.ents]


@pytest.mark.filterwarnings("ignore:.*W401")
def test_waiting_labelled_set_is_not_that_of_the_pools_file(
    begin: Any, person: Person, files: dict[str, Any]
) -> None:
    """A pool with annotation, and people who say that there is nothing."""
    person.label = lambda text: _empty(text)  # type: ignore[method-assign]
    person.gold = {}
    run = begin({"paths.pool": files["paths.pool"], "active.n_rounds": 0})
    with pytest.raises(SeqMixError, match="S413"):
        run.run()  # nothing to learn: every text was asked
    kept = AnswerFile(run.folder.answers).lines()
    assert len(kept) == 22
    assert all(line.spans == () for line in kept)
    again = begin({"paths.pool": files["paths.pool"], "active.n_rounds": 0})
    assert not any(doc.ents for doc in again.pool.take(again.asking.answers))


def _empty(text: Doc) -> Doc:
    doc = Doc(text.vocab, [t.text for t in text], [bool(t.whitespace_) for t in text])
    doc.set_ents([])
    return doc


def test_waiting_answers_survive_a_round_that_fails(
    begin: Any, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = begin(name="whole").run()
    run = begin()
    with monkeypatch.context() as patch:
        patch.setattr(round_training, "fit", lambda *args: (_ for _ in ()).throw(ValueError("no")))
        with pytest.raises(ValueError, match="no"):
            run.run()
    assert len(AnswerFile(run.folder.answers).lines()) == 8
    person.plan = few(0)
    # nobody is asked again, and the config may be another one
    run = begin({"active.epochs": 3})
    records = run.run()
    assert [r.queried for r in records] == [whole[0].queried]


def test_waiting_round_that_failed_with_other_settings(
    begin: Any, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts that were answered count; which others are asked is as the config says now."""
    run = begin()
    with monkeypatch.context() as patch:
        patch.setattr(round_training, "fit", lambda *args: (_ for _ in ()).throw(ValueError("no")))
        with pytest.raises(ValueError, match="no"):
            run.run()
    for values, n in (({"active.n_seed": 10}, 10), ({"active.n_seed": 5}, 8)):
        person.plan = few(0)
        other = begin(values)
        asked = other.labelling.choose(other._query(0))
        assert asked.header.n == n
        assert sum(text.number in other.asking.answers for text in asked.texts[:n]) == 8
        assert other.labelling.choose(other._query(0)) == asked
        other.folder.discard(0)
    different = begin({"active.seed": 5})
    assert different.labelling.choose(different._query(0)).texts != asked.texts


def test_waiting_unknown_and_foreign_answers(begin: Any, person: Person, all_news: Any) -> None:
    person.plan = few(0)
    run = begin()
    person.extra = [Answer("99-0123456789", None), Answer("nonsense", None)]
    with pytest.warns(UserWarning, match=r"W611\] The answer to (99-0123456789|nonsense)") as found:
        run.run()
    assert len([w for w in found if "W611" in str(w.message)]) == 2
    asked = Asked.read(run.folder.asked)
    assert asked is not None
    person.extra = [Answer(asked.texts[0].key, all_news[-1])]
    with pytest.raises(SeqMixError, match=f"{asked.texts[0].key} does not have the text") as error:
        begin().run()
    assert error.value.code == "S612"
    key, text = asked.texts[0].key, run.pool.docs[asked.texts[0].number]
    unnamed = _empty(text)
    unnamed.set_ents([Span(unnamed, 0, 1, "PER")])
    unnamed[0].ent_type_ = ""  # spaCy's own setters take an entity without a label for none
    wrong: list[tuple[Any, str]] = [
        (all_news[0], "not Doc"),
        (Answer(key, _empty(text), seconds=-5), f"{key}'.*seconds"),
        (Answer(key, _empty(text), seconds=float("nan")), f"{key}'.*seconds"),
        (Answer(key, _empty(text), seconds=float("inf")), f"{key}'.*seconds"),
        (Answer(key, text.text), f"{key}'.*type str"),  # type: ignore[arg-type]
        (Answer(7, None), "7: the key is no string"),  # type: ignore[arg-type]
        (Answer(key, unnamed), f"the entity at '{text[0].text}' has no label"),
    ]
    for answer, reason in wrong:
        person.extra = [answer]
        with pytest.raises(SeqMixError, match=rf"Answer\(key, doc\).*{reason}") as error:
            begin().run()
        assert error.value.code == "S615"


def test_waiting_function_that_has_nothing_yet(
    begin: Any, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin()
    monkeypatch.setattr(Person, "__call__", lambda self, tasks: None)
    run.run()
    assert run.waiting.lacking == 8
    monkeypatch.setattr(Person, "__call__", lambda self, tasks: 3)
    with pytest.raises(SeqMixError, match=r"S615\].*not int"):
        begin().run()


def test_waiting_correction_of_an_earlier_round(begin: Any, person: Person) -> None:
    run = begin({"active.n_rounds": 0})
    run.run()
    number = run.pool.labelled[2]
    text = run.pool.docs[number]
    key = AnswerFile(run.folder.answers).lines()[2].key
    again = begin({"active.n_rounds": 2}, "other")
    person.plan = lambda tasks: tasks
    calls = []

    def correcting(tasks: Sequence[Task]) -> Sequence[Task]:
        calls.append(len(tasks))
        if len(calls) == 3:  # the first call of the second round, without tasks
            person.extra = [Answer(key, _empty(text))]
        return tasks

    person.plan = correcting
    again.run()
    assert not again.pool.take([number])[0].ents
    assert list(again.pool.take([number])[0].ents) == []
    lines = AnswerFile(again.folder.answers).lines()
    assert [line.key for line in lines].count(key) == 2
    assert [line.round for line in lines if line.key == key] == [0, 1]


def test_waiting_early_answers_belong_to_the_next_batch(begin: Any, person: Person) -> None:
    person.plan = few(0)
    run = begin()
    run.run()
    asked = Asked.read(run.folder.asked)
    assert asked is not None
    early = asked.texts[10]
    person.plan = list
    person.extra = [person.answer(early.task(run.pool.docs[early.number], asked.header))]
    first, second = begin().run()
    assert first.queried == [text.number for text in asked.texts[:8]]
    assert second.queried[0] == early.number
    assert len(second.queried) == 4


def test_waiting_polls(begin: Any, person: Person) -> None:
    seen = []
    person.plan = few(0)

    def on_wait(waiting: Any) -> None:
        seen.append(waiting.lacking)
        person.plan = few(4)

    run = begin({"active.n_rounds": 0})
    assert len(run.run(wait=0.0, on_wait=on_wait)) == 1
    assert seen == [8]
    assert run.waiting is None


def test_waiting_suggestions_of_the_last_model(begin: Any, person: Person) -> None:
    run = begin({"active.max_steps": 40, "active.n_rounds": 1})
    person.plan = lambda tasks: tasks if tasks and tasks[0].round == 0 else []
    run.run()
    assert run.waiting.round == 1
    asked = Asked.read(run.folder.asked)
    assert asked is not None
    assert (asked.header.policy, asked.header.model) == ("spacy-seqmix.NTE.v1", "round-00")
    assert (asked.header.pool, asked.header.scored) == (14, 14)
    assert [text.reserve for text in asked.texts] == [False] * 4 + [True] * 10
    scores = [text.score for text in asked.texts]
    assert scores == sorted(scores, reverse=True)  # type: ignore[type-var]
    nlp = run._last_model()
    for text in asked.texts:
        assert text.suggestions is not None
        ents = nlp(text.text).ents
        assert [one[:3] for one in text.suggestions] == [
            (ent.start_char, ent.end_char, ent.label_) for ent in ents
        ]
        assert all(0 < (one[3] or 0) <= 1 for one in text.suggestions)
    assert any(text.suggestions for text in asked.texts)


@pytest.mark.filterwarnings("ignore:.*W401")
def test_waiting_nothing_labelled_asks_on(begin: Any, person: Person) -> None:
    """A first batch without any entity can't be trained on: more is asked for."""
    run = begin({"active.n_seed": 2, "active.n_rounds": 0})
    person.plan = few(0)
    run.run()
    asked = Asked.read(run.folder.asked)
    assert asked is not None
    original = person.label
    empty = {text.text for text in asked.texts[:2]}
    person.label = (  # type: ignore[method-assign]
        lambda text: _empty(text) if text.text in empty else original(text)
    )
    person.plan = list
    (record,) = begin({"active.n_seed": 2, "active.n_rounds": 0}).run()
    assert record.queried[:2] == [text.number for text in asked.texts[:2]]
    assert len(record.queried) == 4


def test_waiting_dev_is_set_aside(begin: Any, person: Person) -> None:
    settings = {"paths.dev": None, "active.dev": None, "active.dev_min": 3, "active.n_rounds": 2}
    run = begin(settings)
    records = run.run()
    candidates = list(run.dev.candidates)
    assert len(candidates) == 4
    held = [i for r in records for i in r.held_out]
    assert held == candidates[: len(held)]
    assert [len(r.held_out) for r in records] == [1, 1, 1]
    assert [r.dev_docs for r in records] == [1, 2, 3]
    assert [r.n_labelled for r in records] == [7, 10, 13]
    assert [set(r.scores) for r in records] == [set(), set(), {"dev"}]
    assert not {*run.pool.labelled} & {*candidates}
    # Suggestions would flatter the model on the docs that it is scored on.
    asked = Asked.read(run.folder.asked)
    assert asked is not None and asked.header.model == "round-01"
    assert {text.dev for text in asked.texts} == {False, True}
    assert all((text.suggestions is None) == text.dev for text in asked.texts)
    assert begin(settings).pool.held_out == tuple(held)


def test_waiting_best_model_needs_a_dev_set(begin: Any, person: Person) -> None:
    settings = {"paths.dev": None, "active.dev": None, "active.select_model": "best"}
    with pytest.warns(UserWarning, match=r"W613\] Round 0 keeps its last model: .* 30 .* are 1"):
        begin({**settings, "active.n_rounds": 0}).run()


def test_waiting_jsonl_keeps_further_keys(begin: Any, person: Person, tmp_path: Path) -> None:
    rows = [{"text": text, "id": f"é{k}", "meta": {"a": [k]}} for k, text in enumerate(person.gold)]
    srsly.write_jsonl(tmp_path / "texts.jsonl", rows)
    run = begin({"paths.pool": str(tmp_path / "texts.jsonl"), "active.n_rounds": 0})
    run.run()
    for number, doc in zip(run.pool.labelled, run.pool.take(run.pool.labelled), strict=True):
        assert doc.user_data[EXTRA_KEY] == {"id": f"é{number}", "meta": {"a": [number]}}


def test_waiting_lost_answers_are_asked_for_again(begin: Any, person: Person) -> None:
    run = begin({"active.n_rounds": 0})
    run.run()
    lines = AnswerFile(run.folder.answers).lines()
    run.folder.answers.unlink()
    with pytest.raises(SeqMixError, match=r"answers.jsonl lacks the answers to 8 texts") as error:
        begin({"active.n_rounds": 0}).run()
    assert error.value.code == "S614"
    docs = {line.key: run.pool.docs[int(line.key.partition("-")[0])] for line in lines}
    person.extra = [person.answer(Task(key, doc)) for key, doc in docs.items()]
    again = begin({"active.n_rounds": 0})
    again.run()
    assert [line.says() for line in AnswerFile(run.folder.answers).lines()] == [
        line.says() for line in lines
    ]


def test_waiting_lost_answers_are_not_those_of_the_pool(begin: Any, files: dict[str, Any]) -> None:
    """Also where the pool has annotation: people said something else."""
    settings = {"active.n_rounds": 0, "paths.pool": files["paths.pool"]}
    run = begin(settings)
    run.run()
    run.folder.answers.unlink()
    with pytest.raises(SeqMixError, match=r"S614\].*answers to 8 texts"):
        begin(settings).run()


def test_waiting_ends_where_all_are_skipped_after_waiting(begin: Any, person: Person) -> None:
    run = begin()
    person.plan = few(0)

    def on_wait(waiting: Any) -> None:
        person.skips, person.plan = set(person.gold), list

    assert run.run(wait=0.0, on_wait=on_wait) == []
    assert run.waiting is None
    status = Status.read(run.folder.status)
    assert status is not None
    assert status.phase == "ended"


def test_waiting_journal_of_an_older_version(
    begin: Any, start: Any, files: dict[str, Any], person: Person
) -> None:
    """Its oracle's answers were not kept: those of the pool's file count, as they did."""
    settings = {**PLAIN, "active.n_rounds": 0}
    old = start(settings, "run")
    old.run()
    inputs = json.loads(old.folder.inputs.read_text())
    inputs["config"]["active.oracle.@misc"] = "test.Person.v1"
    old.folder.inputs.write_text(json.dumps(inputs))
    run = begin({**settings, "paths.pool": files["paths.pool"]})
    assert [doc.ents for doc in run.pool.take(run.pool.labelled)]
    docs = read_docs(Path(files["paths.pool"]), run.blank)
    texts = {doc.text: [e.text for e in doc.ents] for doc in docs}
    for doc in run.pool.take(run.pool.labelled):
        assert [e.text for e in doc.ents] == texts[doc.text]


def test_waiting_near_duplicates_are_asked_once(begin: Any, person: Person, tmp_path: Path) -> None:
    text = next(iter(person.gold))
    lines = [*person.gold, text, text.upper(), f"{text} ", text]
    person.gold |= {f"{text} ": person.gold[text], text.upper(): person.gold[text]}
    (tmp_path / "more.txt").write_text("\n".join(lines), "utf8")
    settings = {"paths.pool": str(tmp_path / "more.txt"), "active.n_rounds": None}
    run = begin({**settings, "active.duplicates": 0.8, "active.n_query": 20})
    records = run.run()
    texts = [run.pool.docs[i].text for r in records for i in r.queried]
    assert len(texts) == 30 == len({t.strip().lower() for t in texts})
    assert records[-1].end == "pool exhausted"


def test_waiting_correction_drops_docs_mixed_of_it(begin: Any, configure: Any) -> None:
    mixing = configure()["active"]["mixing"]
    settings = {"active.mixing": mixing, "active.n_rounds": 0}
    run = begin(settings)
    run.run()
    (mixed,) = run.mixed
    assert len(mixed) == 4
    labelled = run.pool.take(run.pool.labelled)
    assert run.mixing.added(run.mixed, [], labelled) == mixed
    parent = next(doc for doc in labelled if doc_key(doc) == get_origin(mixed[0]).target)
    corrected = [_empty(doc) if doc is parent else doc for doc in labelled]
    left = run.mixing.added(run.mixed, [], corrected)
    assert left == [doc for doc in mixed if doc_key(parent) not in parent_keys(doc)]
    assert len(left) < 4


def test_waiting_agreement_of_successive_models(begin: Any, person: Person) -> None:
    settings = {"active.n_rounds": 2, "active.max_steps": 40, "active.agreement_size": 12}
    settings["active.keep_models"] = "all"
    run = begin(settings, "whole")
    first, second, third = run.run()
    assert first.agreement is None
    models = [spacy.load(run.folder.model(number)) for number in range(3)]
    trained = set(first.queried)
    for number, record in enumerate((second, third)):
        trained |= set(record.queried)  # models agree on what they were trained on
        docs = run.pool.take([i for i in run.agreeing.ids if i not in trained])
        spans = [suggest(nlp, "seqmix_ner", docs) for nlp in models[number : number + 2]]
        found = agreement(docs, *spans)
        assert 2 < len(docs) < 12
        assert record.agreement.model_dump() == {
            **{"docs": len(docs), "agreement": found.same, "kappa": found.kappa}
        }
    assert second.agreement.agreement < 1
    # what a resumed run finds is the same
    resumed = begin(settings)
    person.plan = lambda tasks: tasks if tasks and tasks[0].round == 0 else []
    resumed.run()
    person.plan = list
    assert [r.agreement for r in begin(settings).run()] == [r.agreement for r in run.records]


def test_waiting_agreement_is_that_of_the_texts_set_aside(begin: Any) -> None:
    run = begin({"paths.dev": None, "active.dev": None})
    assert set(run.agreeing.ids) == set(run.dev.candidates)
    assert begin({"active.agreement_size": None}, "other").agreeing.ids == []
    assert len(begin(name="third").agreeing.ids) == 22


def test_waiting_text_that_was_labelled_may_be_skipped_later(begin: Any, person: Person) -> None:
    run = begin({"active.n_rounds": 0})
    run.run()
    line = AnswerFile(run.folder.answers).lines()[0]
    AnswerFile(run.folder.answers).append(line.model_copy(update={"state": "skipped", "spans": ()}))
    again = begin({"active.n_rounds": 0})
    assert len(again.pool.labelled) == 7
    assert int(line.key.partition("-")[0]) not in {*again.pool.labelled, *again.pool.unlabelled}


@pytest.mark.filterwarnings("ignore:.*W401")
def test_waiting_new_label_in_mid_run(begin: Any, person: Person) -> None:
    """People may begin with one label; a warm start grows too."""
    original = person.label

    def label(text: Doc) -> Doc:
        doc = original(text)
        if not person.seen or len(person.begun) == 1:
            doc.ents = [ent for ent in doc.ents if ent.label_ == "PER"]
        return doc

    person.label = label  # type: ignore[method-assign]
    warm = {"active.n_rounds": 2, "active.start": "warm"}
    person.plan = lambda tasks: tasks if tasks and tasks[0].round == 0 else []
    begin(warm).run()
    person.plan = list
    run = begin(warm)
    run.run()
    assert {"PER", "LOC", "ORG"} <= set(run._last_model().get_pipe("seqmix_ner").labels)


def test_waiting_oracle_may_write_into_its_tasks(begin: Any, person: Person) -> None:
    def spoils(tasks: Sequence[Task]) -> Sequence[Task]:
        for task in tasks:
            task.doc.set_ents([Span(task.doc, 0, 1, "MINE")])
        return []

    found: list[tuple[Span, ...]] = []
    person.plan = spoils
    run = begin()
    run.run()
    person.plan = lambda tasks: found.extend(task.doc.ents for task in tasks) or tasks  # type: ignore[func-returns-value]
    assert [len(record.queried) for record in run.run()] == [8, 4]
    assert len(found) == 12
    assert set(found) == {()}
