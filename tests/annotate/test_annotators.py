"""Several people's answers to the same texts: `ingest --annotators`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.cli.train import train
from spacy.tokens import Doc
from thinc.api import Config

from spacy_seqmix.annotate.files_oracle import make_files_oracle
from spacy_seqmix.annotate.ingest import ingest_file
from spacy_seqmix.annotate.place import REJECTED
from spacy_seqmix.annotation import relations, soft_labels
from spacy_seqmix.annotation.docbins import read_docs
from spacy_seqmix.annotation.texts import EXTRA_KEY, KEY
from spacy_seqmix.convert import parse_markup
from spacy_seqmix.errors import SeqMixError

from ..conftest import NEWS
from .test_commands import run

ROOT = Path(__file__).parents[2]
NLP = spacy.blank("en")
QUIET = pytest.mark.filterwarnings("ignore:.W731")
LABELS = ("LOC", "MISC", "ORG", "PER")
TEXTS = ("Ana Duarte left Oslo.", "Bob joined Acme.", "Nobody came.")
GOLD = (
    "[PER Ana Duarte] left [LOC Oslo].",
    "[PER Bob] joined [ORG Acme].",
    "Nobody came.",
)


def line(markup: str, **values: object) -> dict[str, object]:
    """A labelled line of JSON of bracket markup."""
    text, spans = parse_markup(markup)
    found = [{"start": start, "end": end, "label": label} for start, end, label in spans]
    return {"text": text, "spans": found, **values}


def write(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf8")
    return path


def answers(folder: Path, **people: Sequence[str]) -> list[Path]:
    """A file of each person, with markup of texts."""
    return [
        write(folder / f"{who}.jsonl", [line(one) for one in markup])
        for who, markup in people.items()
    ]


def joined(folder: Path, how: str, **people: Sequence[str]) -> dict[str, Doc]:
    """The docs by their texts."""
    out = folder / "out.spacy"
    ingest_file(answers(folder, **people), out, NLP, annotators=how)
    return {doc.text: doc for doc in read_docs(out, NLP, need_entities=False)}


def doubtful(seed: int, share: float = 0.3) -> list[str]:
    """What somebody says who gives any label to this share of the mentions."""
    rng = np.random.default_rng(seed)

    def label(match: re.Match[str]) -> str:
        return f"[{rng.choice(LABELS)} " if rng.random() < share else match[0]

    return [re.sub(r"\[([A-Z]+) ", label, one) for one in NEWS]


def ents(doc: Doc) -> list[tuple[str, str]]:
    return [(ent.text, ent.label_) for ent in doc.ents]


# What is right, and what somebody says who takes organisations for places in every other text.
CAREFUL = list(NEWS)
CONFUSED = [one.replace("[ORG ", "[LOC ") if n % 2 else one for n, one in enumerate(NEWS)]


@QUIET
def test_annotators_vote_takes_the_majority(tmp_path: Path) -> None:
    docs = joined(
        tmp_path,
        "vote",
        ann=GOLD,
        bob=["[PER Ana Duarte] left Oslo.", "[PER Bob] joined [LOC Acme]."],
        cem=["[PER Ana] Duarte left [LOC Oslo].", "[PER Bob] joined [ORG Acme]."],
    )
    assert ents(docs[TEXTS[0]]) == [("Ana Duarte", "PER"), ("Oslo", "LOC")]
    assert ents(docs[TEXTS[1]]) == [("Bob", "PER"), ("Acme", "ORG")]
    # A text of one person counts as that person says.
    assert [token.ent_iob_ for token in docs[TEXTS[2]]] == ["O"] * 3
    assert not any(soft_labels.is_marked(doc) for doc in docs.values())


@QUIET
def test_annotators_vote_makes_valid_entities(tmp_path: Path) -> None:
    # The majority of "Duarte" is I-PER, that of "Ana" is O.
    docs = joined(
        tmp_path,
        "vote",
        ann=["[PER Ana Duarte] left Oslo."],
        bob=["Ana Duarte left Oslo."],
        cem=["[ORG Ana Duarte] left Oslo."],
        dan=["[PER Ana Duarte] left Oslo."],
        eva=["Ana [PER Duarte] left Oslo."],
    )
    (doc,) = docs.values()
    assert ents(doc) == [("Ana Duarte", "PER")]


def test_annotators_ties_go_to_the_likelier_tag(tmp_path: Path) -> None:
    # Two people disagree about one text. One of them is known to take ORG for LOC.
    rest = list(NEWS)
    people = {"ann": [*rest, "[ORG Acme] won."], "bob": rest, "cem": [*CONFUSED, "[LOC Acme] won."]}
    for how in ("vote", "soft"):
        assert ents(joined(tmp_path, how, **people)["Acme won."]) == [("Acme", "ORG")]


def test_annotators_soft_keeps_doubt(tmp_path: Path) -> None:
    docs = joined(tmp_path, "soft", ann=doubtful(0), bob=doubtful(1), cem=doubtful(2))
    doubted = [doc for doc in docs.values() if soft_labels.is_marked(doc)]
    assert 0 < len(doubted) < len(docs)
    for doc in doubted:
        soft = soft_labels.get(doc)
        assert soft is not None
        assert soft.probs.sum(axis=1) == pytest.approx(np.ones(len(doc)), abs=1e-3)
        # The annotation is the best valid path.
        assert soft_labels.decides(soft, doc)
        # All agree where mentions are.
        rows = np.flatnonzero(soft_labels.is_soft(soft))
        assert all(doc[int(i)].ent_type_ for i in rows)


def test_annotators_table_tells_confusions(tmp_path: Path) -> None:
    files = answers(tmp_path, ann=CAREFUL, bob=CAREFUL, cem=CONFUSED)
    made = ingest_file(files, tmp_path / "out.spacy", NLP, annotators="soft")
    ann, bob, cem = made.annotators
    assert (ann.who, ann.texts, ann.shared) == ("ann", len(NEWS), len(NEWS))
    assert ann.agreement is not None
    assert cem.agreement is not None
    assert ann.agreement.fscore == pytest.approx(1.0) == bob.agreement.fscore  # type: ignore[union-attr]
    assert cem.agreement.fscore < 0.95
    (found,) = cem.confusions
    wrong = [
        word
        for one in NEWS[1::2]
        for part in one.split("[ORG ")[1:]
        for word in part.split("]")[0].split()
    ]
    assert (found.true, found.given) == ("ORG", "LOC")
    assert found.tokens == pytest.approx(len(wrong), abs=0.5)
    assert 0.3 < found.share < 0.9
    assert cem.mistyped == pytest.approx(found.tokens / cem.counts[1:].sum())
    assert (cem.missed, cem.added) == pytest.approx((0.0, 0.0), abs=1e-3)
    assert not ann.confusions


def test_annotators_table_tells_what_is_overlooked(tmp_path: Path) -> None:
    people = {who: ["[PER Ana] met [LOC Bo Li]."] * 1 + list(NEWS) for who in ("ann", "bob")}
    people["cem"] = ["Ana met Bo Li.", *NEWS[:-1], "[PER Sam] Hill [LOC left] West Point."]
    files = answers(tmp_path, **people)
    cem = ingest_file(files, tmp_path / "out.spacy", NLP, annotators="vote").annotators[2]
    assert cem.labels[0] == ""
    assert cem.counts[1:, 0].sum() == pytest.approx(3, abs=0.5)
    assert cem.missed == pytest.approx(3 / cem.counts[1:].sum(), abs=0.02)
    assert cem.mistyped == pytest.approx(0.0, abs=0.01)


def test_annotators_command_prints_the_table(tmp_path: Path) -> None:
    files = answers(tmp_path, ann=CAREFUL, bob=CAREFUL, cem=CONFUSED)
    code, output = run("ingest", *files, "-o", tmp_path / "out.spacy", "--annotators", "soft")
    assert code == 0, output
    n = len(NEWS)
    assert f"ann {n} {n} 100.0 0.0 % 0.0 % 0.1 % - bob" in output
    assert "ORG as LOC" in output
    assert "tokens have soft labels" in output
    code, output = run("ingest", *files, "-o", tmp_path / "out.spacy", "-a", "vote")
    assert code == 0, output
    assert "soft labels" not in output


def test_annotators_unknown_tokens_do_not_count(tmp_path: Path) -> None:
    text = "Ana met Bob."
    rows = [
        line("[PER Ana] met Bob.", who="ann"),
        {"text": text, "spans": [], "unknown": [[0, 3]], "who": "bob"},
        {"text": text, "spans": [], "unknown": [[0, 3]], "who": "cem"},
        {"text": "Bo left.", "spans": [], "unknown": [[0, 2]], "who": "ann"},
        {"text": "Bo left.", "spans": [], "unknown": [[0, 2]], "who": "bob"},
        {"text": "Who?", "spans": [], "unknown": [[0, 4]], "who": "bob"},
    ]
    path = write(tmp_path / "a.jsonl", rows)
    for how in ("vote", "soft"):
        with pytest.warns(UserWarning, match=r"\[W731\] 'cem' labelled one text"):
            made = ingest_file([path], tmp_path / "out.spacy", NLP, annotators=how)
        one, two = read_docs(tmp_path / "out.spacy", NLP)
        assert ents(one) == [("Ana", "PER")]
        assert [token.ent_iob_ for token in two] == ["", "O", "O"]
        assert (made.partial, made.not_yet) == (1, 1)
        assert [note.what for note in made.notes] == ["all of the text is unknown"]


def test_annotators_rejected_spans_stay_unless_they_are_entities(tmp_path: Path) -> None:
    task = {"text": "Ana met Bob.", "_view_id": "ner", "answer": "reject"}
    ana, bob = ({"start": s, "end": e, "label": "PER"} for s, e in ((0, 3), (8, 11)))
    rows = [
        {**task, "spans": [ana], "_annotator_id": "ann"},
        {**task, "spans": [bob], "_annotator_id": "ann"},
        {**task, "spans": [ana], "_annotator_id": "bob", "answer": "accept"},
    ]
    path = write(tmp_path / "a.jsonl", rows)
    with pytest.warns(UserWarning, match="W731"):
        ingest_file([path], tmp_path / "out.spacy", NLP, annotators="vote")
    (doc,) = read_docs(tmp_path / "out.spacy", NLP)
    assert ents(doc) == [("Ana", "PER")]
    assert [span.text for span in doc.spans[REJECTED]] == ["Bob"]


def test_annotators_states(tmp_path: Path) -> None:
    rows = [
        line(GOLD[0], who="ann"),
        {"text": TEXTS[0], "state": "skipped", "who": "bob"},
        {"text": TEXTS[1], "state": "skipped", "who": "bob"},
        {"text": TEXTS[2], "state": "not yet"},
        line("Bob [LOC joined] Acme.", who="cem", at="2026-01-01"),
        {"text": TEXTS[1], "state": "skipped", "who": "cem", "at": "2026-01-02"},
    ]
    path = write(tmp_path / "a.jsonl", rows)
    with pytest.warns(UserWarning, match=r"\[W730\] No text has answers of two people \('ann'\)"):
        made = ingest_file([path], tmp_path / "out.spacy", NLP, annotators="soft")
    assert made.counts() == "1 labelled, 1 skipped, 1 not yet"
    assert made.annotators[0].agreement is None


@QUIET
def test_annotators_keep_keys_and_leave_relations(tmp_path: Path) -> None:
    pool = write(tmp_path / "pool.jsonl", [{"text": text, "n": n} for n, text in enumerate(TEXTS)])
    rows = [line(GOLD[0], who=who) for who in ("ann", "bob")]
    rows[1]["relations"] = [{"head": 0, "tail": 1, "label": "left"}]
    path = write(tmp_path / "a.jsonl", rows)
    made = ingest_file([path], tmp_path / "out.spacy", NLP, pool=[pool], annotators="vote")
    (doc,) = read_docs(tmp_path / "out.spacy", NLP)
    assert doc.user_data[KEY].startswith("0-")
    assert doc.user_data[EXTRA_KEY] == {"n": 0}
    assert relations.get(doc) is None
    (note,) = made.notes
    assert note.what == "the relations, since only entities are joined"


@QUIET
def test_annotators_files_stand_for_people(tmp_path: Path) -> None:
    """doccano exports a file of each person, which may have the same name."""
    row = {"text": "Ana left.", "label": [[0, 3, "PER"]]}
    paths = []
    for who in ("ann", "bob"):
        (tmp_path / who).mkdir()
        paths.append(write(tmp_path / who / "all.jsonl", [row]))
    made = ingest_file(paths, tmp_path / "out.spacy", NLP, annotators="vote", confirmed=True)
    assert [one.who for one in made.annotators] == [str(path) for path in paths]
    assert made.format == "doccano"
    # A name that a file has counts more than its own.
    more = write(tmp_path / "more.jsonl", [line("[PER Ana] left.", who="ann")])
    made = ingest_file([more, paths[1]], tmp_path / "out.spacy", NLP, annotators="all")
    assert [doc.text for doc in made.docs] == ["Ana left."]
    assert made.format == "jsonl, doccano"


def test_annotators_name_counts_one_person(tmp_path: Path) -> None:
    files = answers(tmp_path, ann=GOLD, bob=["Ana Duarte left Oslo."])
    out = tmp_path / "out.spacy"
    code, output = run("ingest", *files, "-o", out, "--annotators", "bob")
    assert code == 0, output
    assert "1 labelled (1 of them empty), 0 skipped, 2 not yet" in output
    code, output = run("ingest", *files, "-o", tmp_path / "no.spacy", "--annotators", "Bob")
    assert code == 1
    assert "[S730] No answer is by 'Bob'; there are answers by 'ann', 'bob'." in output
    assert not (tmp_path / "no.spacy").exists()


@QUIET
def test_annotators_leave_out_an_answer_that_cannot_be_read(tmp_path: Path) -> None:
    files = answers(tmp_path, ann=GOLD, bob=GOLD)
    bad = {"text": TEXTS[0], "spans": [{"start": 0, "end": 99, "label": "X"}]}
    files.append(write(tmp_path / "cem.jsonl", [bad, {**bad, "text": "New."}]))
    out = tmp_path / "out.spacy"
    with pytest.raises(SeqMixError, match=r"S641.*cem\.jsonl, line 1"):
        ingest_file(files, out, NLP, annotators="vote")
    assert not out.exists()
    with pytest.warns(UserWarning, match="W540"):
        made = ingest_file(files, out, NLP, annotators="vote", skip=True)
    assert len(made.docs) == 3
    assert made.left_out == 1


@pytest.mark.parametrize("how", ["soft", "vote"])
def test_annotators_of_a_run_are_not_joined(how: str) -> None:
    with pytest.raises(SeqMixError) as caught:
        make_files_oracle("jsonl", annotators=how)
    assert caught.value.code == "S731"
    assert f"ingest --annotators {how}" in str(caught.value)


def test_annotators_soft_labels_are_trained_on(tmp_path: Path) -> None:
    docs = joined(tmp_path, "soft", ann=doubtful(0), bob=doubtful(1), cem=doubtful(2))
    train_path = tmp_path / "out.spacy"
    config = Config().from_disk(ROOT / "configs" / "cnn_seqmix.cfg", interpolate=False)
    del config["corpora"]["train"]["augmenter"]
    config["components"]["tok2vec"]["model"].update(width=32, depth=2, embed_size=500)
    config["paths"].update(train=str(train_path), dev=str(train_path))
    config["training"].update(dropout=0.0, max_steps=120, eval_frequency=120)
    config["training"]["optimizer"]["learn_rate"] = 0.01
    config.to_disk(tmp_path / "config.cfg")
    train(tmp_path / "config.cfg", tmp_path / "model")
    nlp = spacy.load(tmp_path / "model" / "model-last")
    nlp.get_pipe("seqmix_ner").store_probs = True
    learnt, taught = [], []
    for doc in docs.values():
        soft = soft_labels.get(doc)
        if soft is not None:
            own = soft_labels.get_token_probs(nlp(doc.text))
            assert own is not None
            learnt.append(soft_labels.with_tags(own, soft.labels)[soft_labels.is_soft(soft)])
            taught.append(soft.probs[soft_labels.is_soft(soft)])
    # The model doubts what people doubt, and as much as they do.
    assert np.abs(np.concatenate(learnt) - np.concatenate(taught)).mean() < 0.05
    assert np.concatenate(learnt).max(axis=1).mean() < 0.95
