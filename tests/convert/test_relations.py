"""JSON lines of entities and relations: read, and refused with the place named."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from typer.testing import CliRunner

from spacy_seqmix.annotation.relations import Relation
from spacy_seqmix.cli import app
from spacy_seqmix.convert import convert_file, read_relations

DATA = Path(__file__).parents[3] / "shared" / "data"

ROW: dict[str, Any] = {
    "tokens": ["Ana", "Lunt", "left", "Blue", "Kite", "."],
    "entities": [{"start": 0, "end": 2, "label": "PER"}, {"start": 3, "end": 5, "label": "ORG"}],
    "relations": [{"head": 0, "tail": 1, "label": "Left"}],
}
LEFT = Relation((0, 2), (3, 5), "Left")


@pytest.fixture(scope="module")
def nlp() -> Language:
    return spacy.blank("en")


def _read(tmp_path: Path, nlp: Language, *rows: Any, **settings: Any) -> list[Doc]:
    path = tmp_path / "in.jsonl"
    text = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(text), "utf8")
    return list(read_relations(path, nlp, **settings))


def test_relations_rows_of_tokens(tmp_path: Path, nlp: Language) -> None:
    (doc,) = _read(tmp_path, nlp, "", ROW, "")
    assert doc.text == "Ana Lunt left Blue Kite ."
    assert [(e.start, e.end, e.label_) for e in doc.ents] == [(0, 2, "PER"), (3, 5, "ORG")]
    assert doc.has_annotation("ENT_IOB")
    assert doc._.relations == (LEFT,)


def test_relations_rows_of_text(tmp_path: Path, nlp: Language) -> None:
    row = {
        "text": "Ana Lunt left Blue Kite.",
        "entities": [
            {"start": 14, "end": 23, "label": "ORG"},
            {"start": 0, "end": 8, "label": "PER"},
        ],
        "relations": [{"head": 1, "tail": 0, "label": "Left"}],
    }
    (doc,) = _read(tmp_path, nlp, row)
    assert [t.text for t in doc] == ROW["tokens"]
    assert doc._.relations == (LEFT,)


def test_relations_rows_of_both_have_the_blanks_of_the_text(tmp_path: Path, nlp: Language) -> None:
    (close, wide) = _read(
        tmp_path,
        nlp,
        {**ROW, "text": "Ana Lunt left Blue Kite."},
        {**ROW, "text": "Ana  Lunt left Blue Kite."},
    )
    assert close.text == "Ana Lunt left Blue Kite."
    # Two blanks would be a token of their own, which the row's offsets do not count.
    assert wide.text == "Ana Lunt left Blue Kite ."
    assert close._.relations == wide._.relations == (LEFT,)


@pytest.mark.parametrize(
    ("start", "end", "text"), [(0, 5, "Bo"), (3, 8, "met"), (0, 8, "Bo \n met")]
)
def test_relations_entities_have_no_whitespace_at_their_ends(
    tmp_path: Path, nlp: Language, start: int, end: int, text: str
) -> None:
    row = {"text": "Bo \n met", "entities": [{"start": start, "end": end, "label": "X"}]}
    (doc,) = _read(tmp_path, nlp, row)
    assert [ent.text for ent in doc.ents] == [text]
    row["entities"] = [{"start": 3, "end": 5, "label": "X"}]
    with pytest.raises(ValueError, match=r"S532.*line 1.*is blank"):
        _read(tmp_path, nlp, row)


def test_relations_rows_without_relations(tmp_path: Path, nlp: Language) -> None:
    unknown = {key: value for key, value in ROW.items() if key != "relations"}
    none, unsaid, bare = _read(tmp_path, nlp, {**ROW, "relations": []}, unknown, {"tokens": []})
    assert none._.relations == ()
    assert unsaid._.relations is None
    assert len(bare) == 0


@pytest.mark.parametrize("names", [(), ("Left",), ("Other", "Left")])
def test_relations_labels_that_stand_for_none(
    tmp_path: Path, nlp: Language, names: tuple[str, ...]
) -> None:
    said = {**ROW, "relations": [*ROW["relations"], {"head": 1, "tail": 0, "label": "no_relation"}]}
    (doc,) = _read(tmp_path, nlp, said, no_relation=names)
    assert doc._.relations == (() if names else (LEFT,))


def test_relations_the_same_said_twice(tmp_path: Path, nlp: Language) -> None:
    (doc,) = _read(tmp_path, nlp, {**ROW, "relations": ROW["relations"] * 2})
    assert doc._.relations == (LEFT,)


def _entity(start: Any, end: Any, label: Any = "X") -> dict[str, Any]:
    return {**ROW, "entities": [{"start": start, "end": end, "label": label}], "relations": []}


def _relation(head: Any, tail: Any, label: Any = "X") -> dict[str, Any]:
    return {**ROW, "relations": [*ROW["relations"], {"head": head, "tail": tail, "label": label}]}


@pytest.mark.parametrize(
    ("row", "code", "offending"),
    [
        ("{", "S530", "Expecting"),
        ("[1]", "S530", "list"),
        ({"entities": []}, "S531", "tokens"),
        ({"tokens": "Ana left"}, "S531", "tokens"),
        ({"tokens": ["Ana", ""]}, "S531", "tokens"),
        ({"tokens": ["Ana", "left"], "text": "Bob left"}, "S531", "not those of the text"),
        ({**ROW, "entities": {}}, "S531", "entities: Input should"),
        ({**ROW, "relations": ["Left"]}, "S531", "relations.0: Input should"),
        (_entity("0", 2), "S531", "start: Input should"),
        (_entity(0, True), "S531", "end: Input should"),
        (_entity(0, 2, " "), "S531", "label: "),
        (_entity(0, 2, None), "S531", "label: "),
        (_entity(4, 7), "S532", "6 tokens"),
        (_entity(2, 2), "S532", "2 to 2"),
        (_entity(-1, 2), "S532", "-1 to 2"),
        ({**ROW, "entities": ROW["entities"] * 2}, "S532", "overlaps"),
        (
            {"text": "Ana left", "entities": [{"start": 0, "end": 2, "label": "X"}]},
            "S532",
            "'An'",
        ),
        (_relation(0, 2), "S533", "2 entities"),
        (_relation(-1, 1), "S533", "-1"),
        (_relation(1, 1), "S533", "tail 1"),
        (_relation(0, 1.0), "S531", "tail: Input should"),
        (_relation(0, 1, "Joined"), "S534", "'Ana Lunt' to 'Blue Kite'"),
    ],
)
def test_relations_refuse_and_name_the_place(
    tmp_path: Path, nlp: Language, row: Any, code: str, offending: str
) -> None:
    with pytest.raises(ValueError) as caught:
        _read(tmp_path, nlp, ROW, "", row)
    message = str(caught.value)
    assert message.startswith(f"[{code}]")
    assert "in.jsonl, line 3" in message
    assert offending in message


def test_relations_name_the_spans_of_other_tools(tmp_path: Path, nlp: Language) -> None:
    with pytest.raises(ValueError, match=r"S531.*'entities', not under 'spans'"):
        _read(tmp_path, nlp, {"text": "Ana left", "spans": [{"start": 0, "end": 3, "label": "X"}]})


def test_relations_skip_leaves_out_lines(tmp_path: Path, nlp: Language) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join(["{", json.dumps(_entity(4, 7)), json.dumps(ROW)]), "utf8")
    with pytest.warns(UserWarning, match=r"W540.*line [12]") as caught:
        assert len(list(read_relations(source, nlp, skip=True))) == 1
    assert len(caught) == 2


def test_relations_command(tmp_path: Path, nlp: Language) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.spacy"
    source.write_text(json.dumps(ROW), "utf8")
    command = ["convert", str(source), str(target), "--format", "relations"]
    assert CliRunner().invoke(app, command).exit_code == 0
    (doc,) = DocBin().from_disk(target).get_docs(nlp.vocab)
    assert doc._.relations == (LEFT,)
    assert CliRunner().invoke(app, [*command, "--no-relation", "Other, Left"]).exit_code == 0
    (doc,) = DocBin().from_disk(target).get_docs(nlp.vocab)
    assert doc._.relations == ()
    done = CliRunner().invoke(app, [*command[:3], "-f", "brackets", "--no-relation", "Other"])
    assert done.exit_code == 1
    assert "S538" in done.output


def test_convert_relations_writes_all_or_nothing(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.spacy"
    for text, code in ((json.dumps(ROW) + "\n{", "S530"), ("\n", "S502")):
        source.write_text(text, "utf8")
        with pytest.raises(ValueError, match=code):
            convert_file(source, target, "relations")
        assert not target.exists()


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "conll04").is_dir(), reason="CoNLL04 is not here")
def test_relations_counts_of_conll04(nlp: Language) -> None:
    docs = list(read_relations(DATA / "conll04" / "dev.jsonl", nlp))
    assert (len(docs), sum(map(len, docs)), sum(len(doc.ents) for doc in docs)) == (243, 6975, 877)
    assert Counter(r.label for doc in docs for r in doc._.relations) == {
        "OrgBased_In": 106,
        "Work_For": 83,
        "Live_In": 79,
        "Located_In": 67,
        "Kill": 18,
    }


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "semeval2010_task8").is_dir(), reason="SemEval is not here")
def test_relations_counts_of_semeval(nlp: Language) -> None:
    path = DATA / "semeval2010_task8" / "dev.jsonl"
    docs = list(read_relations(path, nlp, no_relation=["Other"]))
    texts = [json.loads(line)["text"] for line in path.read_text("utf8").splitlines()]
    assert [doc.text for doc in docs] == texts
    assert [len(doc._.relations) for doc in docs].count(0) == 148
    # Here a direction is which of the two comes first.
    forward = Counter((r.label, r.head < r.tail) for doc in docs for r in doc._.relations)
    assert forward["Cause-Effect", True] == 25
    assert forward["Cause-Effect", False] == 67
    assert sum(forward.values()) == 652
