"""Distillation from texts to a student that is shipped or refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.annotation.docbins import read_docs, write_docs
from spacy_seqmix.distill import run as distill_run
from spacy_seqmix.distill import teaching
from spacy_seqmix.distill.folder import DistillFolder, Facts
from spacy_seqmix.distill.run import Distilled, distill
from spacy_seqmix.distill.student import Student
from spacy_seqmix.distill.targets import Targets
from spacy_seqmix.distill.teachers import Teachers, load_teachers
from spacy_seqmix.errors import SeqMixError

from .conftest import make_teacher

ALL_LABELS = ("LOC", "MISC", "ORG", "PER")


class Counter:
    """Counts what was labelled and trained, and stops where it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[int] = []
        self.fits: list[int] = []
        self.stop_at: int | None = None
        self.stop_fit = False
        teach, fit = Teachers.teach, distill_run.fit

        def counted(teachers: Teachers, docs: list[Any], *words: Any) -> list[Any]:
            if len(self.batches) == self.stop_at:
                raise KeyboardInterrupt
            self.batches.append(len(docs))
            return teach(teachers, docs, *words)

        def fitted(
            config: Any, docs: Path, dev: Any, work: Path, settings: Any, start: None
        ) -> Any:
            if self.stop_fit:
                raise KeyboardInterrupt
            self.fits.append(sum(len(DocBin().from_disk(one)) for one in docs.glob("*.spacy")))
            return fit(config, docs, dev, work, settings, start)

        monkeypatch.setattr(Teachers, "teach", counted)
        monkeypatch.setattr(distill_run, "fit", fitted)
        monkeypatch.setattr(teaching, "PART", 10)


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    return Counter(monkeypatch)


@pytest.fixture(scope="session")
def loaded() -> dict[tuple[Path, ...], Teachers]:
    """Teachers that were loaded by a test before."""
    return {}


@pytest.fixture
def start(student, teacher, texts, tmp_path, loaded):
    """A function that distills into the folder "out"."""

    def make(
        overrides: dict[str, Any] | None = None,
        targets: dict[str, Any] | None = None,
        teachers: tuple[Path, ...] = (teacher,),
        path: Path = texts,
        out: str = "out",
        **options: Any,
    ) -> Distilled:
        config = Student.of(student, {"training.max_steps": 4, **(overrides or {})})
        if teachers not in loaded:
            names = [str(one) for one in teachers]
            loaded[teachers] = load_teachers(names, config, Targets())
        chosen = replace(loaded[teachers], targets=Targets(**(targets or {})))
        return distill(config, chosen, path, tmp_path / out, progress=False, **options)

    return make


def taught(tmp_path: Path, out: str = "out") -> list[Any]:
    paths = sorted((tmp_path / out / "taught").glob("*.spacy"))
    nlp = spacy.blank("en")
    return [doc for path in paths for doc in read_docs(path, nlp, need_entities=False)]


def test_distill_trains_a_student_on_what_the_teacher_finds(start, tmp_path, dev, counter, texts):
    made = start({"training.max_steps": 60}, dev=dev, max_drop=100.0)
    folder = DistillFolder(tmp_path / "out")
    assert made.path == folder.last_model
    assert not made.kept
    facts, measured = made.facts, made.facts.measured
    assert (facts.texts, facts.left_out, facts.labelled, facts.steps) == (22, 2, 0, 60)
    assert facts.labels == [*ALL_LABELS]
    assert (measured.dev, measured.docs, measured.score) == ("dev.spacy", 8, "ents_f")
    assert measured.teacher > 0.9
    assert measured.teacher_speed > 0 < measured.student_speed
    assert counter.batches[:3] == [10, 10, 2]
    docs = taught(tmp_path)
    assert [doc.text for doc in docs] == texts.read_text("utf8").split("\n")[:22]
    assert all(soft_labels.get(doc) is not None for doc in docs)
    nlp = spacy.load(made.path)
    found = sum(ent.label_ in ALL_LABELS for doc in docs for ent in nlp(doc.text).ents)
    assert found > 20  # it has learnt them by heart
    assert sorted(path.name for path in folder.path.iterdir()) == [
        "distill.json",
        "model-last",
        "settings.json",
        "taught",
    ]
    stored = json.loads(folder.facts.read_text("utf8"))
    assert stored["shipped"] is True
    assert stored["options"]["labels"] == "soft"
    made.check()


def test_distill_goes_on_after_the_last_part(start, tmp_path, counter, texts):
    counter.stop_at = 2
    with pytest.raises(KeyboardInterrupt):
        start()
    assert len(taught(tmp_path)) == 20
    counter.stop_at = None
    counter.stop_fit = True
    with pytest.raises(KeyboardInterrupt):
        start()
    assert counter.batches == [10, 10, 4]
    assert DistillFolder(tmp_path / "out").read_facts() is None
    counter.stop_fit = False
    made = start()
    assert counter.batches == [10, 10, 4]  # nothing was labelled again
    assert counter.fits == [24]
    assert made.facts.shipped
    assert start().kept
    assert counter.fits == [24]
    other = start(out="other")
    first, second = ((one.path / "seqmix_ner" / "model").read_bytes() for one in (made, other))
    assert first == second  # a kill changes nothing


def test_distill_trains_anew_with_another_config_on_the_same_labels(start, counter, dev, tmp_path):
    start()
    made = start({"training.max_steps": 6})
    assert counter.batches == [10, 10, 4]
    assert counter.fits == [24, 24]
    assert made.facts.steps == 6
    # With a dev set that has some of the texts these are no longer the same.
    with pytest.raises(SeqMixError, match=r"\[S747\] .*out' .* differ: texts\."):
        start(dev=dev)


def test_distill_refuses_a_folder_of_other_labels(start, counter, other_teacher, texts, tmp_path):
    start()
    for options, field in (
        ({"targets": {"temperature": 2.0}}, "temperature"),
        ({"targets": {"hard": True}}, "labels"),
        ({"targets": {"labels": {"MISC": ""}}}, "map"),
        ({"teachers": (other_teacher,)}, "teachers"),
    ):
        with pytest.raises(SeqMixError, match=rf"\[S747\] .* differ: {field}\."):
            start(**options)
    texts.write_text("Another text.\nAnd another.", "utf8")
    with (
        pytest.raises(SeqMixError, match=r"\[S747\] .* differ: texts\."),
        pytest.warns(UserWarning, match="W740"),
    ):
        start()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x", "utf8")
    with pytest.raises(SeqMixError, match=r"\[S748\] .*it has other files"), pytest.warns():
        start(out="mine")
    with pytest.raises(SeqMixError, match=r"\[S748\] .*has a '\$'"), pytest.warns():
        start(out="a$b")


def test_distill_refuses_a_student_that_is_worse(start, counter, dev, tmp_path):
    folder = DistillFolder(tmp_path / "out")
    made = start(dev=dev)
    assert made.path == folder.refused
    assert folder.refused.exists() and not folder.last_model.exists()
    with pytest.raises(
        SeqMixError, match=r"\[S749\] .*by \d+\.\d points on dev.spacy .* allows 0\."
    ):
        made.check()
    labelled = list(counter.batches)
    shipped = start(dev=dev, max_drop=100.0)
    assert shipped.path == folder.last_model
    assert folder.last_model.exists() and not folder.refused.exists()
    shipped.check()
    assert shipped.facts.measured == made.facts.measured
    assert spacy.load(folder.last_model).pipe_names == ["seqmix_ner"]
    assert not start(dev=dev).facts.shipped
    assert folder.refused.exists() and not folder.last_model.exists()
    assert counter.fits == [22]
    assert counter.batches == labelled  # dev was not labelled again either


def test_distill_measures_a_dev_set_that_comes_later(start, counter, labelled, tmp_path):
    assert start().facts.measured.drop is None
    path = tmp_path / "later.spacy"
    write_docs([labelled("[PER Ann Lee] left [LOC Rome].")], path)
    made = start(dev=path, max_drop=100.0)
    assert (made.kept, made.facts.measured.docs) == (True, 1)
    assert counter.fits == [24]


def test_distill_a_kill_between_training_and_measuring_trains_once(start, counter, monkeypatch):
    def fail(*words: object) -> float:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(distill_run, "speed", fail)
        with pytest.raises(KeyboardInterrupt):
            start()
    made = start()
    assert (made.kept, counter.fits) == (True, [24])
    assert not (made.path.parent / "trained").exists()


def test_distill_folder_places_a_student_after_any_kill(tmp_path, monkeypatch):
    folder = DistillFolder(tmp_path)
    for place in (folder.trained, folder.last_model, folder.refused):
        place.mkdir()
        (place / "meta").write_text(place.name, "utf8")
    assert folder.student is None  # without its facts nobody knows what it has learnt
    folder.write_facts(Facts(training={}, seed=0, steps=2, training_seconds=1.0))

    def stop(*words: object, **options: object) -> None:
        raise KeyboardInterrupt

    for name in ("rmtree", "rename"):
        with monkeypatch.context() as patch:
            patch.setattr(*((shutil, name) if name == "rmtree" else (Path, name)), stop)
            with pytest.raises(KeyboardInterrupt):
                folder.place(shipped=False)
        assert folder.student == folder.trained
    assert folder.place(shipped=False) == folder.refused == folder.student
    assert folder.place(shipped=True) == folder.last_model == folder.student
    assert (folder.last_model / "meta").read_text("utf8") == "trained"
    assert {path.name for path in tmp_path.iterdir()} == {"distill.json", "model-last"}


def test_distill_labelled_docs_are_learnt_as_they_are(start, counter, all_news, tmp_path):
    gold = tmp_path / "gold.spacy"
    write_docs(all_news[20:], gold)
    made = start(labelled=gold)
    assert (made.facts.texts, made.facts.left_out, made.facts.labelled) == (20, 4, 10)
    assert counter.fits == [30]
    docs = {doc.text: doc for doc in taught(tmp_path)}
    assert len(docs) == 30
    for one in all_news[20:]:
        assert soft_labels.get(docs[one.text]) is None
        assert [e.label_ for e in docs[one.text].ents] == [e.label_ for e in one.ents]
    assert start(labelled=gold).kept
    with pytest.raises(SeqMixError, match=r"\[S747\]"):
        start()  # the texts that it has left out are back


def test_distill_labels_of_teacher_and_student_agree(start, labelled, tmp_path, counter):
    gold = tmp_path / "gold.spacy"
    docs = [labelled("[PERSON Ann Lee] saw [LOC Rome]."), labelled("[ORG Acme] sold [TOY Bob].")]
    write_docs(docs, gold)
    with pytest.raises(
        SeqMixError, match=r"\[S742\] .*gold.spacy' does not know: \['MISC', 'PER'\].*--map MISC="
    ):
        start(labelled=gold)
    mapped = {"PER": "PERSON", "MISC": ""}
    with pytest.raises(SeqMixError, match=r"\[S743\] No teacher has the labels \['TOY'\] of"):
        start(labelled=gold, targets={"labels": mapped})
    made = start(labelled=gold, targets={"labels": mapped}, allow_untaught=True)
    assert made.facts.labels == ["LOC", "ORG", "PERSON"]
    nlp = spacy.load(made.path)
    assert nlp.get_pipe("seqmix_ner").labels == ("LOC", "ORG", "PERSON", "TOY")
    keep = {"PER": "PERSON", "MISC": "MISC"}
    made = start(labelled=gold, targets={"labels": keep}, allow_untaught=True, out="b")
    assert "MISC" in made.facts.labels


def test_distill_labels_of_the_config_are_all_that_is_known(start, student):
    text = student.read_text("utf8")
    labels = '\n[initialize.components]\n\n[initialize.components.seqmix_ner]\nlabels = ["PER"]\n'
    student.write_text(text + labels, "utf8")
    same = {"LOC": "LOC", "MISC": "", "ORG": ""}
    with pytest.raises(SeqMixError, match=r"\[S742\] .*student.cfg' does not know: \['LOC'\]"):
        start(targets={"labels": same})


def test_distill_warns_of_what_dev_has_and_nobody_teaches(start, labelled, tmp_path):
    path = tmp_path / "dev.spacy"
    write_docs([labelled("[TOY Bob] is here.")], path)
    with pytest.warns(UserWarning, match=r"\[W401\] The labels \['TOY'\] of .*dev.spacy"):
        start(dev=path, max_drop=100.0)


def test_distill_warns_of_fewer_texts_than_a_batch(start, texts):
    texts.write_text("One text.\nAnother text.", "utf8")
    with pytest.warns(UserWarning, match=r"\[W740\] 2 texts are not more than one batch"):
        assert start().facts.texts == 2


def test_distill_refuses_what_it_cannot_use(start, texts, dev, tmp_path, labelled):
    bare = tmp_path / "bare.spacy"
    write_docs([spacy.blank("en")("Nothing here.")], bare)
    for name in ("dev", "labelled"):
        with pytest.raises(SeqMixError, match=r"\[S431\] .*bare.spacy"):
            start(**{name: bare})
    with pytest.raises(SeqMixError, match=r"\[S549\]"):
        start(out=dev.name, dev=dev)
    with pytest.raises(SeqMixError, match=r"\[S403\].*none.txt"):
        start(path=tmp_path / "none.txt")
    assert not (tmp_path / "out").exists()


def test_distill_refuses_damaged_facts(start, tmp_path, counter):
    start()
    (tmp_path / "out" / "distill.json").write_text("{}", "utf8")
    with pytest.raises(SeqMixError, match=r"\[S748\] .*distill.json is damaged"):
        start()


def test_distill_hard_labels_teach_spacys_ner(start, student, counter, all_news, tmp_path):
    config = Student.of(student, {"training.max_steps": 4}).config
    config["components"] = {"ner": {"factory": "ner"}}
    config["nlp"]["pipeline"] = ["ner"]
    config["training"]["max_steps"] = 4
    config.to_disk(student)
    chosen = Student.of(student, {}, hard=True)
    path = tmp_path / "teacher"
    make_teacher(all_news).to_disk(path)
    targets = Targets(hard=True)
    teachers = load_teachers([str(path)], chosen, targets)
    made = distill(chosen, teachers, tmp_path / "texts.txt", tmp_path / "out", progress=False)
    assert "ner" in spacy.load(made.path).pipe_names
