"""`spacy seqmix audit`: folds, doubts as tasks, and the corrected corpus."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from typer.testing import CliRunner

from spacy_seqmix.annotate.audit import run as audit_run
from spacy_seqmix.annotate.audit.folds import Trainer, folds_of
from spacy_seqmix.annotate.audit.run import Audit, audit_file
from spacy_seqmix.annotate.audit.tasks import suspects_of
from spacy_seqmix.annotate.audit.usage import Usage
from spacy_seqmix.annotate.formats import FORMATS, read_export
from spacy_seqmix.annotate.page.start import NewRun
from spacy_seqmix.annotation.docbins import write_docs
from spacy_seqmix.annotation.texts import task_key
from spacy_seqmix.cli import app
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.query.doubts import DocDoubts, Doubt

from ..conftest import NEWS
from .tools import EXPORTS, Said

TRAINER = Trainer.of(NewRun(fast=True), {}, progress=False)
WRONG = 0  # the number of the doc whose PER is called LOC


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, " ".join(result.output.split())


def docs_of(path: Path) -> list[Doc]:
    return list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))


def ents_of(doc: Doc) -> list[tuple[str, str]]:
    return [(ent.text, ent.label_) for ent in doc.ents]


@pytest.fixture
def corpus(labelled: Callable[[str], Doc], tmp_path: Path) -> Path:
    """Thirty docs, of which one has a wrong label, one comes twice, and one is not labelled."""
    docs = [labelled(markup) for markup in NEWS]
    ents = list(docs[WRONG].ents)
    ents[0] = Span(docs[WRONG], ents[0].start, ents[0].end, label="LOC")
    docs[WRONG].set_ents(ents)
    bare = spacy.blank("en").make_doc("Nobody has read this.")
    path = tmp_path / "train.spacy"
    write_docs([*docs[:3], bare, *docs[3:], docs[7]], path)
    return path


class Model:
    """Stands for trained pipelines: it finds what was given, but for the wrong label."""

    def __init__(self) -> None:
        self.trained: list[list[str]] = []
        self.fails: int | None = None

    def fit(self, trainer: Trainer, docs: list[Doc], work: Path) -> None:
        if len(self.trained) == self.fails:
            raise KeyboardInterrupt
        self.trained.append([doc.text for doc in docs])

    def find(self, nlp: None, component: str, docs: list[Doc], progress: object) -> list[DocDoubts]:
        assert not {doc.text for doc in docs} & set(self.trained[-1])
        return [self.of_doc(doc) for doc in docs]

    def of_doc(self, doc: Doc) -> DocDoubts:
        given = [(e.start, e.end, e.label_) for e in doc.ents]
        sure = tuple(0.9 for _ in given)
        doubts: list[Doubt] = []
        if doc.text.startswith("Anna Lindqvist"):
            place = given[0]
            doubts.append(Doubt(0, 2, (place,), ((*place[:2], "PER"),), -7.0, -0.1))
            sure = (0.0009, *sure[1:])
        if doc.text.startswith("Nobody came"):
            doubts.append(Doubt(0, 1, (), ((0, 1, "PER"),), -0.5, -1.5))
        return DocDoubts(sure, len(given), len(given) - len(doubts), tuple(doubts))


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    made = Model()
    monkeypatch.setattr(Trainer, "fit", lambda *words: made.fit(*words))
    monkeypatch.setattr(audit_run, "find_doubts", made.find)
    yield made


def audit(corpus: Path, name: str = "tasks.jsonl", **options: object) -> Audit:
    return audit_file(corpus, corpus.parent / name, TRAINER, **{"folds": 3, **options})  # type: ignore[arg-type]


def test_audit_folds_keep_equal_texts_together() -> None:
    texts = [f"text {i % 17}" for i in range(40)]
    folds = folds_of(texts, 4, 0)
    assert folds == folds_of(texts, 4, 0)
    assert folds != folds_of(texts, 4, 1)
    sizes = [folds.count(fold) for fold in range(4)]
    assert max(sizes) - min(sizes) <= 2
    assert len({(text, fold) for text, fold in zip(texts, folds, strict=True)}) == 17


def test_audit_counts_how_words_are_labelled_elsewhere(labelled) -> None:
    docs = [labelled(f"[LOC Leeds] {word} big.") for word in ("is", "was", "seems")]
    docs += [labelled("[ORG Leeds United] won, not [ORG Leeds]."), labelled("Leeds won.")]
    flipped = Doubt(5, 6, ((5, 6, "ORG"),), ((5, 6, "LOC"),), -5.0, -0.1)
    cut = Doubt(0, 2, ((0, 2, "ORG"),), ((0, 1, "ORG"),), -5.0, -0.1)
    lost = Doubt(0, 1, (), ((0, 1, "LOC"),), -5.0, -0.1)
    places = [(docs[3], flipped), (docs[3], cut), (docs[4], lost)]
    usage = Usage(docs, places)
    assert usage.counts["Leeds",] == {"LOC": 3, "ORG": 1, "": 2}
    assert usage.log_ratio(docs[3], flipped) == pytest.approx(math.log(4))
    # Elsewhere "Leeds" is ORG once, no entity once; "Leeds United" does not occur.
    assert usage.log_ratio(docs[3], cut) == pytest.approx(math.log(2 / 2) + math.log(1 / 1))
    assert usage.log_ratio(docs[4], lost) == pytest.approx(math.log(4 / 2))
    found = {3: DocDoubts((), 0, 0, (flipped, cut)), 4: DocDoubts((), 0, 0, (lost,))}
    ranked = suspects_of(dict(enumerate(docs)), found)
    assert [one.doubt for one in ranked] == [flipped, lost, cut]
    assert ranked[0].score == pytest.approx(math.asinh(4.9) + math.log(4))


def test_audit_asks_the_worst_docs_first(corpus: Path, model: Model) -> None:
    done: list[audit_run.FoldDone] = []
    made = audit(corpus, on_fold=done.append)
    assert len(model.trained) == 3
    assert (made.docs, made.left_out) == (31, 1)
    assert [one.kept for one in done] == [False] * 3
    assert sum(one.docs for one in done) == 31
    assert [task.key.split("-")[0] for task in made.tasks] == ["0", "10"]
    assert [task.score for task in made.tasks] == pytest.approx([math.asinh(6.9), math.asinh(-1.0)])
    first = made.tasks[0]
    assert [(s.label, s.confidence) for s in first.suggestions or ()] == [
        ("LOC", 0.0009),
        ("PER", 0.9),
        ("LOC", 0.9),
    ]
    assert first.note == "given: LOC 'Anna Lindqvist'; found: PER 'Anna Lindqvist' (0.90)"
    assert made.tasks[1].note == "given: nothing; found: PER 'Nobody' (0.22)"
    rows = list(csv.DictReader(made.folder.table.read_text("utf8").splitlines()))
    assert [row["doc"] for row in rows] == ["0", "10"]
    assert rows[0]["context"] == "»Anna Lindqvist« and Omar Haddad met …"
    assert (rows[0]["start"], rows[0]["end"]) == ("0", "14")
    assert not made.folder.training.exists()
    assert len(audit(corpus, "one.jsonl", n_docs=1).tasks) == 1


def test_audit_goes_on_with_the_folds_that_it_has(corpus: Path, model: Model) -> None:
    model.fails = 1
    with pytest.raises(KeyboardInterrupt):
        audit(corpus)
    assert not (corpus.parent / "tasks.jsonl").exists()
    model.fails = None
    done: list[audit_run.FoldDone] = []
    made = audit(corpus, on_fold=done.append)
    assert [one.kept for one in done] == [True, False, False]
    assert len(model.trained) == 3
    again = audit(corpus, "again.txt", format="brackets", work=made.folder.path)
    assert len(model.trained) == 3
    assert [task.key for task in again.tasks] == [task.key for task in made.tasks]
    assert again.suspects[0].doubt == made.suspects[0].doubt


def test_audit_refuses_the_folder_of_another(corpus: Path, model: Model) -> None:
    work = audit(corpus).folder.path
    for options, field in (({"folds": 4}, "folds"), ({"seed": 5}, "folds_seed")):
        with pytest.raises(SeqMixError, match=rf"\[S722\] .* differ: {field}\."):
            audit(corpus, "b.jsonl", work=work, **options)
    write_docs(docs_of(corpus)[:20], corpus)
    with pytest.raises(SeqMixError, match=r"\[S722\] .* differ: sha256\."):
        audit(corpus, "b.jsonl", work=work)
    other = corpus.parent / "other"
    other.mkdir()
    (other / "mine.txt").write_text("x", "utf8")
    with pytest.raises(SeqMixError, match=r"\[S723\] .* other files"):
        audit(corpus, "b.jsonl", work=other)
    with pytest.raises(SeqMixError, match=r"\[S723\] .* has a '\$'"):
        audit(corpus, "b.jsonl", work=corpus.parent / "a$b")


def test_audit_refuses_damaged_folds(corpus: Path, model: Model) -> None:
    folder = audit(corpus).folder
    text = folder.fold(2).read_text("utf8")
    for damaged in ("{", text.split("\n", 1)[1]):
        folder.fold(2).write_text(damaged, "utf8")
        with pytest.raises(SeqMixError, match=r"\[S723\] .*fold-2.jsonl is damaged"):
            audit(corpus, "b.jsonl", work=folder.path)
    folder.fold(2).unlink()
    audit(corpus, "b.jsonl", work=folder.path)
    assert folder.fold(2).read_text("utf8") == text
    folder.settings.write_text("[1]", "utf8")
    with pytest.raises(SeqMixError, match=r"\[S723\] .*settings.json is damaged"):
        audit(corpus, "c.jsonl", work=folder.path)


def test_audit_refuses_bad_input(corpus: Path, model: Model, labelled) -> None:
    for folds in (1, 31):
        with pytest.raises(SeqMixError, match=rf"\[S721\] .*into {folds} folds: it has 31 docs"):
            audit(corpus, folds=folds)
    with pytest.raises(SeqMixError, match=r"\[S549\]"):
        audit(corpus, corpus.name)
    (corpus.parent / "tasks.jsonl").write_text("labelled", "utf8")
    with pytest.raises(SeqMixError, match=r"\[S651\]"):
        audit(corpus)
    write_docs([labelled("Nobody came."), labelled("Nothing.")], corpus)
    with pytest.raises(SeqMixError, match=r"\[S405\]"):
        audit(corpus, "b.jsonl")
    assert model.trained == []
    assert not list(corpus.parent.glob("*.audit"))


def test_audit_warns_of_labels_of_one_fold(corpus: Path, model: Model, labelled) -> None:
    write_docs([*docs_of(corpus), labelled("[TEAM Leeds] won.")], corpus)
    with pytest.warns(UserWarning, match=r"\[W720\] Fold \d: 1 entity with the labels \['TEAM'\]"):
        audit(corpus)


def test_audit_writes_nothing_where_nothing_is_suspicious(corpus: Path, model: Model) -> None:
    write_docs([doc for doc in docs_of(corpus) if not doc.text.startswith(("Anna", "No"))], corpus)
    out = corpus.parent / "tasks.jsonl"
    code, output = run("audit", corpus, "-o", out, "--fast", "--folds", 2)
    assert code == 0, output
    assert "Nothing is suspicious" in output
    assert not out.exists()


@pytest.mark.parametrize("name", FORMATS)
def test_audit_and_ingest_go_round(corpus: Path, model: Model, name: str) -> None:
    tasks, fixed = corpus.parent / f"tasks{FORMATS[name].suffix}", corpus.parent / "fixed.spacy"
    code, output = run("audit", corpus, "-o", tasks, "-f", name, "--fast", "--folds", 3)
    assert code == 0, output
    assert "2.63 »Anna Lindqvist« and Omar Haddad met" in output
    assert "LOC 'Anna Lindqvist' PER 'Anna Lindqvist' 0.90" in output
    assert f"--pool {corpus} --whole" in output
    parts = [tasks] if tasks.is_file() else sorted(tasks.iterdir())
    written = "".join(part.read_text("utf8") for part in parts)
    assert "found: PER 'Anna Lindqvist' (0.90)" in written
    rows = list(read_export(tasks)[1])
    assert [row.state for row in rows] == ["not yet"] * 2
    assert all(row.extra == {} for row in rows)
    if name in ("brackets", "brat", "jsonl"):
        (row,) = [one for one in rows if one.text.startswith("Anna")]
        assert [span.label for span in row.spans] == ["LOC", "PER", "LOC"]
    said = [(0, 14, "PER"), (19, 30, "PER"), (38, 43, "LOC")]
    before = docs_of(corpus)
    key = task_key(WRONG, before[WRONG].text)
    export = EXPORTS[name](tasks, {key: Said(said)})
    code, output = run("ingest", export, "-o", fixed, "-p", corpus, "--whole")
    assert code == 0, output
    assert f"Wrote 1 doc (3 entities), and all others of {corpus}" in output
    after = docs_of(fixed)
    assert [doc.text for doc in after] == [doc.text for doc in before]
    assert [ents_of(doc) for doc in after[1:]] == [ents_of(doc) for doc in before[1:]]
    assert [doc.has_annotation("ENT_IOB") for doc in after].count(False) == 1
    if name != "brackets":
        assert ents_of(after[WRONG])[0] == ("Anna Lindqvist", "PER")


def test_ingest_of_the_whole_needs_docs(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "Ana.", "spans": []}', "utf8")
    (tmp_path / "pool.txt").write_text("Ana.", "utf8")
    for pool in ([], ["-p", tmp_path / "pool.txt"]):
        words = ["ingest", tmp_path / "a.jsonl", "-o", tmp_path / "o.spacy", "--whole", *pool]
        code, output = run(*words)
        assert code == 1
        assert "[S724]" in output


def test_audit_takes_configs_of_spacy_train(corpus: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.cfg"
    config = TRAINER.config.copy()
    config["components"]["seqmix_ner"] = {"factory": "tagger"}
    config.to_disk(path)
    with pytest.raises(SeqMixError, match=r"\[S408\].*no 'ner'"):
        Trainer.of(NewRun(config=path), {})
    config["active"] = {"component": "seqmix_ner"}
    config.to_disk(path)
    with pytest.raises(SeqMixError, match=r"\[S720\] 'seqmix_ner' can't judge"):
        Trainer.of(NewRun(config=path), {})
    config["active"]["epochs"] = -1
    config.to_disk(path)
    with pytest.raises(SeqMixError, match=r"\[S402\].*epochs"):
        Trainer.of(NewRun(config=path), {})
    with pytest.raises(SeqMixError, match=r"\[S690\]"):
        Trainer.of(NewRun(config=path, fast=True), {})


def test_audit_finds_a_planted_error(labelled: Callable[[str], Doc], tmp_path: Path) -> None:
    """With real pipelines: all docs but one call the same names the same."""
    names = ("Ann Lee", "Tom Roe", "Ida Fox", "Max Orr", "Eva Dunn", "Jo Hale")
    towns = ("Oslo", "Rome", "Lima", "Cairo")
    docs = [labelled(f"[PER {name}] left [LOC {town}].") for name in names for town in towns]
    docs[5] = labelled("[PER Tom Roe] left [PER Rome].")
    write_docs(docs, tmp_path / "train.spacy")
    out = tmp_path / "tasks.jsonl"
    words = ("--fast", "--folds", 2, "--active.max_steps", 30)
    code, output = run("audit", tmp_path / "train.spacy", "-o", out, *words)
    assert code == 0, output
    rows = [json.loads(line) for line in out.read_text("utf8").splitlines()]
    assert rows[0]["key"] == task_key(5, docs[5].text)
    assert "given: PER 'Rome'; found: LOC 'Rome'" in rows[0]["seqmix_note"]
    assert "Fold 2 of 2: 12 docs, F1 " in output
