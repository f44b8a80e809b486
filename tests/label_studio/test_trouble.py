"""What people and servers do that nobody has planned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spacy_seqmix.annotate.label_studio import project as projects
from spacy_seqmix.annotate.label_studio.oracle import make_label_studio_oracle
from spacy_seqmix.annotate.label_studio.transfer import ingest_project
from spacy_seqmix.errors import Errors, SeqMixError, SeqMixFileError
from spacy_seqmix.types import Suggestion

from .conftest import ANN, BOB, LabelStudio
from .people import NLP, TEXTS, ents, make_tasks, mark, submit, tasks_of
from .test_oracle import ARABIC, EMPTY, FIRST, RELATED, Begin, by_text, number_of
from .test_oracle import begin as begin

pytestmark = pytest.mark.slow

LABELS = '<Labels name="label" toName="text"><Label value="PER"/><Label value="LOC"/></Labels>'
TEXT = '<Text name="text" value="$text"/>'
Create = Callable[..., int]


@pytest.fixture
def create(studio: LabelStudio, request: pytest.FixtureRequest) -> Create:
    """A function that makes a project with an interface."""

    def make(*tags: str, **given: Any) -> int:
        xml = f"<View>{''.join(tags)}</View>"
        wanted = {"title": request.node.name[-45:], "label_config": xml, **given}
        return int(studio.call("POST", "projects/", json=wanted)["id"])

    return make


def full(studio: LabelStudio, project: int) -> list[dict[str, Any]]:
    params = {"project": project, "fields": "all"}
    found: list[dict[str, Any]] = studio.call("GET", "tasks", params=params)["tasks"]
    return found


def add_others(studio: LabelStudio, project: int, *data: object) -> None:
    rows = [{"data": one} for one in data]
    studio.call("POST", f"projects/{project}/import", json=rows)


def test_label_studio_comments_are_left_out(
    studio: LabelStudio, begin: Begin, create: Create, tmp_path: Path
) -> None:
    project = create(LABELS, TEXT, '<TextArea name="note" toName="text"/>')
    oracle, tasks = begin(project=project), make_tasks()
    list(oracle(tasks))
    of = tasks_of(studio, project)
    note = {"id": "n", "from_name": "note", "to_name": "text", "type": "textarea"}
    submit(studio, of[FIRST], [mark(FIRST, "Ana", "PER"), {**note, "value": {"text": ["why?"]}}])
    with pytest.warns(UserWarning, match="W640.* a result of type 'textarea'"):
        assert ents(by_text(oracle(tasks))[FIRST]) == [("Ana", "PER")]
    made, _ = ingest_project(oracle.server, project, tmp_path, NLP)
    assert [doc.text for doc in made.docs] == [FIRST]
    assert (tmp_path / f"{project}.spacy").exists()


def test_label_studio_tasks_of_others_may_have_any_form(
    studio: LabelStudio, begin: Begin, tmp_path: Path
) -> None:
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks))
    project = number_of(oracle)
    add_others(studio, project, {"text": 5}, {"text": ["a", "b"]}, {"text": FIRST})
    (copy,) = [one["id"] for one in full(studio, project)[5:] if one["data"]["text"] == FIRST]
    submit(studio, copy, [mark(FIRST, "Oslo", "LOC")])
    assert list(oracle(tasks)) == list(begin()(tasks)) == []
    with pytest.raises(SeqMixError, match=r"S646.*, task \d+"):
        ingest_project(oracle.server, project, tmp_path / "out.spacy", NLP)
    with pytest.warns(UserWarning, match=r"W540.*S646"):
        made, _ = ingest_project(oracle.server, project, tmp_path / "out.spacy", NLP, skip=True)
    assert len(made.docs) == 1


def test_label_studio_deleted_tasks_are_seen_beside_others(
    studio: LabelStudio, begin: Begin
) -> None:
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks))
    project = number_of(oracle)
    add_others(studio, project, *({"text": f"Other {n}."} for n in range(3)))
    studio.call("DELETE", f"tasks/{tasks_of(studio, project)[FIRST]}/")
    with pytest.warns(UserWarning, match="W782. 1 task of"):
        assert list(oracle(tasks)) == []
    assert FIRST in tasks_of(studio, project)


def test_label_studio_pages_may_be_smaller_than_wished(
    studio: LabelStudio, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = projects.Server.get

    def get(self: projects.Server, path: str, **params: Any) -> Any:
        if "page_size" in params:
            params["page_size"] = 2
        return real(self, path, **params)

    monkeypatch.setattr(projects.Server, "get", get)
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks))
    submit(studio, tasks_of(studio, number_of(oracle))[RELATED], [])
    again = begin()
    assert list(by_text(again(tasks))) == [RELATED]
    assert number_of(again) == number_of(oracle)
    assert len(tasks_of(studio, number_of(oracle))) == 5


def test_label_studio_answers_wait_where_the_server_ends_between_requests(
    studio: LabelStudio, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks))
    of = tasks_of(studio, number_of(oracle))
    submit(studio, of[EMPTY], [])
    studio.call("DELETE", f"tasks/{of[FIRST]}/")
    down = SeqMixFileError(Errors.E781.format(url=studio.url, reason="it restarts"))
    with monkeypatch.context() as patch:

        def end(self: projects.Project) -> Any:
            raise down

        patch.setattr(projects.Project, "tasks", end)
        with pytest.warns(UserWarning, match="W781"):
            assert list(oracle(tasks)) == []
    with pytest.warns(UserWarning, match="W782"):
        assert list(by_text(oracle(tasks))) == [EMPTY]


def test_label_studio_suggestions_are_there_once_after_a_cut_connection(
    studio: LabelStudio, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle, tasks, calls = begin(), make_tasks(), []
    down = SeqMixFileError(Errors.E781.format(url=studio.url, reason="timeout"))
    real = projects.Server.post

    def post(self: projects.Server, path: str, body: Any, **params: Any) -> Any:
        answer = real(self, path, body, **params)
        calls.append(path)
        if calls.count("predictions/") == 2 and path == "predictions/":
            raise down
        return answer

    monkeypatch.setattr(projects.Server, "post", post)
    with pytest.warns(UserWarning, match="W781"):
        assert list(oracle(tasks)) == []
    assert list(oracle(tasks)) == []
    assert [len(one["predictions"]) for one in full(studio, number_of(oracle))] == [1] * 5


def test_label_studio_task_may_go_while_suggestions_are_sent(
    studio: LabelStudio, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle, tasks, gone = begin(), make_tasks(), []
    real = projects.Project.predict

    def predict(self: projects.Project, number: int, *given: Any) -> None:
        if not gone:
            gone.append(number)
            studio.call("DELETE", f"tasks/{number}/")
        real(self, number, *given)

    monkeypatch.setattr(projects.Project, "predict", predict)
    with pytest.warns(UserWarning, match="W782"):
        assert list(oracle(tasks)) == []
    assert set(tasks_of(studio, number_of(oracle))) == set(TEXTS)


def test_label_studio_choice_of_a_person_stays(studio: LabelStudio, begin: Begin) -> None:
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks))
    project = number_of(oracle)
    off = {"show_collab_predictions": False, "sampling": "Sequential sampling"}
    studio.call("PATCH", f"projects/{project}/", json=off)
    list(oracle(tasks))
    described = studio.call("GET", f"projects/{project}/")
    assert {name: described[name] for name in off} == off
    chosen = {"selectedItems": {"all": True, "excluded": []}}
    params = {"id": "delete_tasks_predictions", "project": project}
    studio.call("POST", "dm/actions", params=params, json=chosen)
    submit(studio, tasks_of(studio, project)[EMPTY], [])
    assert list(by_text(oracle(tasks))) == [EMPTY]


def test_label_studio_project_keeps_its_number_of_people(
    studio: LabelStudio, begin: Begin, create: Create
) -> None:
    project = create(LABELS, TEXT, maximum_annotations=3)
    list(begin(project=project)(make_tasks()))
    assert studio.call("GET", f"projects/{project}/")["maximum_annotations"] == 3


def test_label_studio_new_run_takes_what_the_project_has(
    studio: LabelStudio, begin: Begin, tmp_path: Path
) -> None:
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks))
    of = tasks_of(studio, number_of(oracle))
    submit(studio, of[FIRST], [mark(FIRST, "Ana", "PER")])
    other = begin(project=number_of(oracle))
    other.begin(tmp_path / "other", NLP)
    answer = by_text(other(make_tasks(0, None)))[FIRST]
    assert (ents(answer), answer.shown) == ([("Ana", "PER")], None)


def test_label_studio_two_people_on_the_twins_of_a_task(studio: LabelStudio, begin: Begin) -> None:
    oracle, tasks = begin(n_annotators=2), make_tasks()
    list(oracle(tasks))
    project = number_of(oracle)
    assert studio.call("GET", f"projects/{project}/")["maximum_annotations"] == 2
    add_others(studio, project, {"text": FIRST, "seqmix_key": tasks[0].key})
    twins = [one["id"] for one in full(studio, project) if one["data"]["text"] == FIRST]
    submit(studio, twins[0], [mark(FIRST, "Ana", "PER")], ANN)
    assert list(oracle(tasks)) == []
    submit(studio, twins[1], [mark(FIRST, "Ana", "PER")], BOB)
    answer = by_text(oracle(tasks))[FIRST]
    assert (answer.who, answer.seconds) == (BOB, 5.0)


def test_label_studio_shown_is_what_was_sent_last(studio: LabelStudio, begin: Begin) -> None:
    list(begin()(make_tasks(0, None)))
    oracle, tasks = begin(), make_tasks(1)
    list(oracle(tasks))
    submit(studio, tasks_of(studio, number_of(oracle))[FIRST], [])
    assert by_text(begin()(tasks))[FIRST].shown == tasks[0].suggestions


def test_label_studio_text_that_is_set_aside_removes_no_suggestions(
    studio: LabelStudio, begin: Begin
) -> None:
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks[:3]))
    list(oracle([*tasks[:3], replace(tasks[3], suggestions=None)]))
    list(oracle([replace(tasks[4], suggestions=None)]))
    found = full(studio, number_of(oracle))
    assert [len(one["predictions"]) for one in found] == [1, 1, 1, 0, 0]


def test_label_studio_aliases_of_labels(studio: LabelStudio, begin: Begin, create: Create) -> None:
    labels = '<Labels name="label" toName="text"><Label value="Person" alias="PER"/></Labels>'
    project = create(labels, TEXT)
    oracle = begin(project=project, labels=["Person"])
    suggested = (Suggestion(0, 1, "Person", 0.5),)
    tasks = [replace(task, suggestions=suggested) for task in make_tasks()]
    list(oracle(tasks))
    (prediction,) = full(studio, project)[0]["predictions"]
    assert prediction["result"][0]["value"]["labels"] == ["PER"]
    submit(studio, tasks_of(studio, project)[FIRST], [mark(FIRST, "Ana", "PER")])
    assert ents(by_text(oracle(tasks))[FIRST]) == [("Ana", "Person")]


def test_label_studio_marks_in_another_text(
    studio: LabelStudio, begin: Begin, create: Create
) -> None:
    other = '<Labels name="l2" toName="title"><Label value="LOC"/></Labels>'
    project = create(LABELS, TEXT, other, '<Text name="title" value="$seqmix_key"/>')
    oracle, tasks = begin(project=project), make_tasks()
    list(oracle(tasks))
    title = {**mark(tasks[0].key, "0", "LOC", "t"), "from_name": "l2", "to_name": "title"}
    submit(studio, tasks_of(studio, project)[FIRST], [mark(FIRST, "Ana", "PER"), title])
    with pytest.warns(UserWarning, match="W640.* a region of 'title'"):
        assert ents(by_text(oracle(tasks))[FIRST]) == [("Ana", "PER")]


@pytest.mark.parametrize(("way", "wanted"), [("left", {("Ana", "Bo")}), ("right", {("Bo", "Ana")})])
def test_label_studio_direction_of_relations(
    studio: LabelStudio, begin: Begin, way: str, wanted: set[tuple[str, str]]
) -> None:
    oracle, tasks = begin(project=f"direction {way}"), make_tasks()
    list(oracle(tasks))
    both = [mark(RELATED, "Ana", "PER", "a"), mark(RELATED, "Bo", "PER", "b")]
    relation = {"from_id": "b", "to_id": "a", "type": "relation", "labels": ["works_for"]}
    of = tasks_of(studio, number_of(oracle))
    submit(studio, of[RELATED], [*both, {**relation, "direction": way}])
    doc = by_text(oracle(tasks))[RELATED].doc
    assert doc is not None
    assert {(doc[r.head[0]].text, doc[r.tail[0]].text) for r in doc._.relations} == wanted


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"url": "u", "name": "n"}', '{"url": "u", "name": "n", "id": "x"}']
)
def test_label_studio_state_that_is_damaged(
    studio: LabelStudio, begin: Begin, tmp_path: Path, content: str
) -> None:
    oracle = begin()
    path = tmp_path / "label-studio" / "project.json"
    path.write_text(content, "utf8")
    with pytest.raises(SeqMixFileError, match=r"S600.*project\.json"):
        list(oracle(make_tasks()))


def test_label_studio_script_without_blanks(studio: LabelStudio, tmp_path: Path) -> None:
    import spacy

    oracle = make_label_studio_oracle(studio.url, "without blanks", ["PER"])
    oracle.begin(tmp_path, spacy.blank("zh"))
    list(oracle(make_tasks()))
    described = studio.call("GET", f"projects/{number_of(oracle)}/")
    assert 'granularity="symbol"' in described["label_config"]


def test_label_studio_idle_project_is_not_read_again(
    studio: LabelStudio, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle, tasks = begin(), make_tasks()
    list(oracle(tasks))
    assert oracle._project is not None
    assert len(dict(oracle._project.changed())) == 5  # a change may come late
    later = projects.monotonic() + 60.0
    monkeypatch.setattr(projects, "monotonic", lambda: later)
    assert dict(oracle._project.changed()) == {}
    submit(studio, tasks_of(studio, number_of(oracle))[ARABIC], [])
    assert len(dict(oracle._project.changed())) == 1


def test_label_studio_needs_a_person(studio: LabelStudio, begin: Begin) -> None:
    with pytest.raises(SeqMixError, match=r"S730.*'cy@example.org'.*'ann@example.org'"):
        list(begin(annotators="cy@example.org")(make_tasks()))
    with pytest.raises(SeqMixError, match=r"S311.*n_annotators"):
        make_label_studio_oracle(studio.url, "nobody", ["PER"], n_annotators=0)
