"""The oracle and a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spacy_seqmix.annotate.label_studio.oracle import LabelStudioOracle, make_label_studio_oracle
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.types import Answer

from .conftest import ANN, BOB, LabelStudio
from .people import NLP, TEXTS, ents, make_tasks, mark, submit, tasks_of

pytestmark = pytest.mark.slow

Begin = Callable[..., LabelStudioOracle]
FIRST, SKIPPED, ARABIC, EMPTY, RELATED = TEXTS


@pytest.fixture
def begin(studio: LabelStudio, tmp_path: Path, request: pytest.FixtureRequest) -> Begin:
    """A function that makes the oracle of a run, as each process does."""

    def make(**given: Any) -> LabelStudioOracle:
        settings = {"labels": ["PER", "LOC"], "relations": ["works_for"], "poll": 0.0, **given}
        settings.setdefault("project", request.node.name[:45])
        oracle = make_label_studio_oracle(settings.pop("url", studio.url), **settings)
        oracle.begin(tmp_path, NLP)
        return oracle

    return make


def number_of(oracle: LabelStudioOracle) -> int:
    assert oracle._project is not None
    return oracle._project.id


def by_text(answers: Any) -> dict[str, Answer]:
    texts = {task.key: task.doc.text for task in make_tasks()}
    return {texts[answer.key]: answer for answer in answers}


def test_label_studio_asks_and_reads(studio: LabelStudio, begin: Begin) -> None:
    oracle, tasks = begin(), make_tasks()
    assert list(oracle(tasks)) == []
    project = number_of(oracle)
    assert f"{studio.url}/projects/{project}" in oracle.advise(tasks)
    of = tasks_of(studio, project)
    assert list(of) == list(TEXTS)
    submit(studio, of[FIRST], [mark(FIRST, "Ana", "PER"), mark(FIRST, "Oslo", "LOC", "y")])
    submit(studio, of[SKIPPED], [], was_cancelled=True)
    submit(studio, of[ARABIC], [mark(ARABIC, "بغداد", "LOC")])
    submit(studio, of[EMPTY], [])
    both = [mark(RELATED, "Ana", "PER", "a"), mark(RELATED, "Bo", "PER", "b")]
    relation = {"from_id": "b", "to_id": "a", "type": "relation", "labels": ["works_for"]}
    submit(studio, of[RELATED], [*both, {**relation, "direction": "right"}], BOB)
    answers = by_text(oracle(tasks))
    assert ents(answers[FIRST]) == [("Ana", "PER"), ("Oslo", "LOC")]
    assert answers[SKIPPED].skipped
    assert ents(answers[ARABIC]) == [("بغداد", "LOC")]
    assert ents(answers[EMPTY]) == []
    assert ents(answers[RELATED]) == [("Ana", "PER"), ("Bo", "PER")]
    assert [answers[text].who for text in TEXTS] == [ANN] * 4 + [BOB]
    assert {answer.seconds for answer in answers.values()} == {2.5}
    assert answers[FIRST].shown == tasks[0].suggestions
    last = answers[RELATED].doc
    assert last is not None
    (one,) = last._.relations
    assert (last[one.head[0]].text, last[one.tail[0]].text, one.label) == ("Bo", "Ana", "works_for")
    assert list(oracle(tasks)) == []  # nothing is new


def test_label_studio_serves_the_most_wanted_first_and_one_cluster_after_the_other(
    studio: LabelStudio, begin: Begin
) -> None:
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks))
    project = number_of(oracle)
    described = studio.call("GET", f"projects/{project}/")
    assert described["sampling"] == "Uncertainty sampling"
    assert described["model_version"] == "round-00"
    found = studio.call("GET", "tasks", params={"project": project, "fields": "all"})["tasks"]
    predictions = {task["data"]["text"]: task["predictions"] for task in found}
    assert [one[0]["score"] for one in predictions.values()] == [-n / 10 for n in range(5)]
    assert {one[0]["result"][0]["score"] for one in predictions.values()} == {0.5}
    clusters = {text: one[0]["cluster"] for text, one in predictions.items()}
    served, done = [], set()
    for _ in range(3):
        task = studio.call("GET", f"projects/{project}/next")
        served.append(task["data"]["text"])
        submit(studio, task["id"], [])
        assert clusters[served[-1]] not in done or len(done) == len(set(clusters.values()))
        done.add(clusters[served[-1]])
    assert served[0] == RELATED  # the highest score


def test_label_studio_next_round_replaces_suggestions(studio: LabelStudio, begin: Begin) -> None:
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks[:3]))
    later = [replace(task, round=2, model="round-01") for task in tasks[3:]]
    later[1] = replace(later[1], suggestions=None)  # set aside to measure with
    list(oracle(later))
    project = number_of(oracle)
    found = studio.call("GET", "tasks", params={"project": project, "fields": "all"})["tasks"]
    versions = [[one["model_version"] for one in task["predictions"]] for task in found]
    assert versions == [[], [], [], ["round-01"], []]
    assert studio.call("GET", f"projects/{project}/")["model_version"] == "round-01"


def test_label_studio_process_that_begins_again_sends_nothing_twice(
    studio: LabelStudio, begin: Begin, tmp_path: Path
) -> None:
    tasks = make_tasks()
    first = begin()
    list(first(tasks[:3]))
    of = tasks_of(studio, number_of(first))
    submit(studio, of[FIRST], [mark(FIRST, "Ana", "PER")])
    second = begin()
    answers = by_text(second(tasks))
    assert number_of(second) == number_of(first)
    assert ents(answers[FIRST]) == [("Ana", "PER")]
    found = studio.call("GET", "tasks", params={"project": number_of(first), "fields": "all"})
    assert [len(task["predictions"]) for task in found["tasks"]] == [1] * 5
    (tmp_path / "label-studio" / "project.json").unlink()  # a kill came before it was written
    third = begin()
    list(third(tasks))
    assert number_of(third) == number_of(first)
    assert len(tasks_of(studio, number_of(first))) == 5


def test_label_studio_takes_corrections_and_the_last_of_two_people(
    studio: LabelStudio, begin: Begin
) -> None:
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks))
    of = tasks_of(studio, number_of(oracle))
    number = submit(studio, of[FIRST], [mark(FIRST, "Ana", "PER")])
    assert ents(by_text(oracle(tasks))[FIRST]) == [("Ana", "PER")]
    corrected = {"result": [mark(FIRST, "Ana", "LOC")], "lead_time": 4.0}
    studio.call("PATCH", f"annotations/{number}/", json=corrected)
    answer = by_text(oracle(tasks))[FIRST]
    assert (ents(answer), answer.seconds) == ([("Ana", "LOC")], 4.0)
    submit(studio, of[FIRST], [mark(FIRST, "Oslo", "LOC")], BOB)
    with pytest.warns(UserWarning, match="W640.* labelled by ann@example.org; that by bob@"):
        answer = by_text(oracle(tasks))[FIRST]
    assert (ents(answer), answer.who) == ([("Oslo", "LOC")], BOB)
    answer = by_text(begin(annotators=ANN)(tasks))[FIRST]
    assert ents(answer) == [("Ana", "LOC")]


def test_label_studio_draft_is_no_answer(studio: LabelStudio, begin: Begin) -> None:
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks))
    of = tasks_of(studio, number_of(oracle))
    draft = {"result": [mark(FIRST, "Ana", "PER")], "lead_time": 1.0}
    studio.call("POST", f"tasks/{of[FIRST]}/drafts", json=draft)
    assert list(oracle(tasks)) == []


def test_label_studio_refuses_what_does_not_fit_a_text(studio: LabelStudio, begin: Begin) -> None:
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks))
    of = tasks_of(studio, number_of(oracle))
    past = mark(FIRST, "Ana", "PER")
    past["value"] |= {"start": 500, "end": 510}
    submit(studio, of[FIRST], [past])
    submit(studio, of[EMPTY], [mark(EMPTY, "Nobody", "GHOST")])  # the server accepts any label
    submit(studio, of[SKIPPED], [mark(SKIPPED, "kip thi", "PER")])
    with pytest.warns(UserWarning, match="W640") as seen:
        answers = by_text(oracle(tasks))
    told = " ".join(str(one.message) for one in seen)
    assert "S641" in told
    assert "'GHOST'" in told
    assert "to 'Skip this'" in told
    assert {text: ents(one) for text, one in answers.items()} == {SKIPPED: [("Skip this", "PER")]}
    assert "2 refused" in oracle.advise(tasks)


def test_label_studio_tasks_that_are_deleted_come_back(studio: LabelStudio, begin: Begin) -> None:
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks))
    of = tasks_of(studio, number_of(oracle))
    submit(studio, of[EMPTY], [])
    list(oracle(tasks))
    for text in (FIRST, EMPTY):
        studio.call("DELETE", f"tasks/{of[text]}/")
    with pytest.warns(UserWarning, match="W782. 1 task of"):
        assert list(oracle([task for task in tasks if task.doc.text != EMPTY])) == []
    left = tasks_of(studio, number_of(oracle))
    assert set(left) == set(TEXTS) - {EMPTY}
    submit(studio, left[FIRST], [mark(FIRST, "Ana", "PER")])
    assert ents(by_text(oracle(tasks[:1]))[FIRST]) == [("Ana", "PER")]


def test_label_studio_task_that_is_there_twice(studio: LabelStudio, begin: Begin) -> None:
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks))
    project = number_of(oracle)
    again = [{"data": {"text": FIRST, "seqmix_key": tasks[0].key}}]
    again += [{"data": {"text": "Somebody else's."}}]
    studio.call("POST", f"projects/{project}/import", json=again)
    twins = [
        task["id"]
        for task in studio.call("GET", "tasks", params={"project": project})["tasks"]
        if task["data"]["text"] == FIRST
    ]
    assert len(twins) == 2
    submit(studio, twins[1], [mark(FIRST, "Oslo", "LOC")])
    assert ents(by_text(oracle(tasks))[FIRST]) == [("Oslo", "LOC")]
    submit(studio, twins[0], [mark(FIRST, "Oslo", "LOC")])
    assert {ents(one)[0] for one in oracle(tasks)} == {("Oslo", "LOC")}  # type: ignore[index]


def test_label_studio_project_with_other_names_and_labels(
    studio: LabelStudio, begin: Begin
) -> None:
    xml = '<View><Labels name="ner" toName="body"><Label value="PER"/><Label value="LOC"/>'
    xml += '</Labels><Text name="body" value="$content"/></View>'
    given = {"title": "of a person", "label_config": xml}
    project = studio.call("POST", "projects/", json=given)["id"]
    oracle, tasks = begin(project=project), make_tasks()
    list(oracle(tasks))
    found = studio.call("GET", "tasks", params={"project": project, "fields": "all"})["tasks"]
    assert found[0]["data"]["content"] == FIRST
    assert found[0]["predictions"][0]["result"][0]["from_name"] == "ner"
    result = {**mark(FIRST, "Ana", "PER"), "from_name": "ner", "to_name": "body"}
    submit(studio, found[0]["id"], [result])
    assert ents(by_text(oracle(tasks))[FIRST]) == [("Ana", "PER")]
    with pytest.raises(SeqMixError, match=r"S785.* lacks 'ORG', and offers 'PER', 'LOC'"):
        list(begin(project=str(project), labels=["PER", "ORG"])(tasks))


def test_label_studio_labels_that_are_renamed_end_the_round(
    studio: LabelStudio, begin: Begin
) -> None:
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks))
    project = number_of(oracle)
    xml = studio.call("GET", f"projects/{project}/")["label_config"]
    changed = {"label_config": xml.replace('"LOC"', '"PLACE"')}
    studio.call("PATCH", f"projects/{project}/", json=changed)
    with pytest.raises(SeqMixError, match=r"S785.* lacks 'LOC'"):
        list(oracle(tasks))
    studio.call("PATCH", f"projects/{project}/", json={"label_config": xml})
    assert list(begin()(tasks)) == []


def test_label_studio_project_that_is_deleted(studio: LabelStudio, begin: Begin) -> None:
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks))
    studio.call("DELETE", f"projects/{number_of(oracle)}/")
    for one in (oracle, begin()):
        with pytest.raises(SeqMixError, match=r"S784.* Was it deleted"):
            list(one(tasks))


def test_label_studio_title_of_two_projects(studio: LabelStudio, begin: Begin) -> None:
    for _ in range(2):
        studio.call("POST", "projects/", json={"title": "twins", "label_config": "<View/>"})
    with pytest.raises(SeqMixError, match=r"S787.* several have this title: \d+, \d+"):
        list(begin(project="twins")(make_tasks()))
    with pytest.raises(SeqMixError, match=r"S787.* there is none"):
        list(begin(project="nothing of this name", labels=None)(make_tasks()))
    with pytest.raises(SeqMixError, match=r"S786.* with status 400.*title"):
        list(begin(project="x")(make_tasks()))


def test_label_studio_tokens_of_both_kinds(
    studio: LabelStudio, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    personal = studio.call("POST", "token/")["token"]
    monkeypatch.setenv("PERSONAL", personal)
    oracle, tasks = begin(token_env="PERSONAL"), make_tasks()
    assert list(oracle(tasks)) == []
    oracle.server._header = "Bearer expired.or.wrong"
    of = tasks_of(studio, number_of(oracle))
    submit(studio, of[EMPTY], [])
    assert list(by_text(oracle(tasks))) == [EMPTY]
    studio.call("POST", "token/blacklist/", json={"refresh": personal})
    oracle.server._header = "Bearer expired.or.wrong"
    with pytest.raises(SeqMixError, match=r"S782.* the token of PERSONAL is refused"):
        list(oracle(tasks))
    monkeypatch.setenv("LABEL_STUDIO_TOKEN", "0" * 40)
    with pytest.raises(SeqMixError, match=r"S782.* the token of LABEL_STUDIO_TOKEN is refused"):
        list(begin()(tasks))
    monkeypatch.delenv("LABEL_STUDIO_TOKEN")
    with pytest.raises(SeqMixError, match=r"S782.* the environment variable LABEL_STUDIO_TOKEN"):
        begin()


def test_label_studio_server_that_restarts_in_a_round(studio: LabelStudio, begin: Begin) -> None:
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks))
    of = tasks_of(studio, number_of(oracle))
    submit(studio, of[FIRST], [mark(FIRST, "Ana", "PER")])
    studio.stop()
    with pytest.warns(UserWarning, match=r"W781. .S781. Label Studio at .* can't be reached"):
        assert list(oracle(tasks)) == []
    assert "can't be reached" in oracle.advise(tasks)
    assert list(oracle(tasks)) == []  # without another warning
    studio.start()
    assert ents(by_text(oracle(tasks))[FIRST]) == [("Ana", "PER")]
    assert "label them at" in oracle.advise(tasks)


def test_label_studio_looks_when_it_is_time_or_it_is_told(
    studio: LabelStudio, begin: Begin, tmp_path: Path
) -> None:
    oracle, tasks = begin(poll=1000.0), make_tasks()
    list(oracle(tasks))
    of = tasks_of(studio, number_of(oracle))
    submit(studio, of[EMPTY], [])
    assert list(oracle(tasks)) == []
    (tmp_path / "label-studio" / "nudged").touch()
    assert list(by_text(oracle(tasks))) == [EMPTY]


def test_label_studio_has_room_for_many_tasks(studio: LabelStudio, begin: Begin) -> None:
    """Ten thousand tasks of somebody else in the project."""
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks))
    project = number_of(oracle)
    for low in range(0, 10_000, 2500):
        others = [{"data": {"text": f"Text {n}."}} for n in range(low, low + 2500)]
        studio.call("POST", f"projects/{project}/import", json=others)
    again = begin()
    assert list(again(tasks)) == []
    found = dict(again._numbers)
    assert set(found) == {task.key for task in tasks}
    submit(studio, found[tasks[3].key][0], [])
    assert list(by_text(again(tasks))) == [EMPTY]


def test_label_studio_oracle_refuses_to_join(studio: LabelStudio, begin: Begin) -> None:
    with pytest.raises(SeqMixError, match="S731"):
        begin(annotators="soft")


def test_label_studio_state_is_json(studio: LabelStudio, begin: Begin, tmp_path: Path) -> None:
    oracle = begin()
    list(oracle(make_tasks(model=None)))
    state = json.loads((tmp_path / "label-studio" / "project.json").read_text("utf8"))
    assert state == {"url": studio.url, "name": oracle.name, "id": number_of(oracle)}
