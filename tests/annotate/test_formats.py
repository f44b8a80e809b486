"""One battery for every format: tasks out, answers in, without losing a character."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc

from spacy_seqmix.annotate.formats import FORMATS, detect, read_export
from spacy_seqmix.annotate.ingest import Ingested, ingest
from spacy_seqmix.annotate.join import PoolText
from spacy_seqmix.annotate.place import Rules
from spacy_seqmix.annotation.texts import EXTRA_KEY, KEY, task_key
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.types import Suggestion, Task

from .tools import EXPORTS, Said

FAMILY = "👩\u200d👩\u200d👧"
# Language, and a text whose entities stand in brackets, each after its label.
TRAPS = {
    "plain": ("en", "⟦PER|Ana Duarte⟧ left ⟦LOC|Leeds⟧."),
    "adjacent, at both ends": ("en", "⟦PER|Ana⟧⟦LOC|,⟧ ⟦LOC|Leeds⟧"),
    "emoji": ("en", "🙂 ⟦PER|Ana⟧ 🚀🚀 left ⟦LOC|Oslo⟧ 👍🏽 for ⟦ORG|Nordic Oil⟧."),
    "family": ("en", f"{FAMILY} ⟦PER|Ana⟧ {FAMILY}{FAMILY} met ⟦PER|Bo⟧ ."),
    "astral letters": ("en", "𐌰 𐌱 ⟦PER|Ana 𐌳uarte⟧ 𐍈 ⟦LOC|Leeds⟧"),
    "combining marks": ("en", "Lumie\u0300re and ⟦PER|Zo\u0308e\u0301⟧ saw ⟦LOC|Mu\u0308nster⟧."),
    "composed": ("en", "Lumi\u00e8re and ⟦PER|Zo\u00eb⟧ saw ⟦LOC|M\u00fcnster⟧."),
    "right to left": ("ar", "سافرت ⟦PER|ليلى حداد⟧ إلى ⟦LOC|القاهرة⟧ أمس \u200f(2019)."),
    "vowel signs": ("ar", "قال ⟦PER|كَرِيم⟧: «أين ⟦LOC|بغداد⟧؟» 😀"),
    "no blanks": ("zh", "昨天⟦PER|李娜⟧遇见⟦PER|王强⟧😀「⟦LOC|北京⟧」"),
    "CRLF": ("en", "⟦PER|Ana⟧ left.\r\n\r\n⟦PER|Bo⟧ came to\r\n⟦LOC|Oslo⟧.\r\n"),
    "line feeds": ("en", "\n⟦PER|Ana⟧ left.\n\n  ⟦PER|Bo⟧\n"),
    "carriage returns": ("en", "one\r⟦PER|Ana⟧\rleft"),
    "tabs": ("en", "\t⟦PER|Ana⟧\tleft\t\t⟦LOC|Oslo⟧\t"),
    "blanks": ("en", "  ⟦PER|Ana⟧   left  ⟦LOC|Oslo⟧  "),
    "no-break spaces": ("en", "\xa0⟦PER|Ana⟧\xa0left\u2009⟦LOC|Oslo⟧\u3000"),
    "separators": ("en", "⟦PER|Ana⟧\u2028left\x0b⟦LOC|Oslo⟧\x85\u2029now\x0c"),
    "byte order mark": ("en", "⟦PER|\ufeffAna⟧ left \ufeff."),
    "markup": ("en", "[PER ⟦PER|Ana⟧] \\[x\\] C:\\new\\table \\u{41} ] \\"),
    "comment": ("en", "# ⟦PER|Ana⟧ left"),
    "header": ("en", "# todo 0-0123456789 ⟦PER|Ana⟧"),
    "JSON": ("en", '{"text": "⟦PER|Ana⟧", "n": \\n}'),
    "labels": ("en", "⟦PERSON|Ana⟧ ⟦PER|Bo⟧ ⟦PER-2|Cy⟧ ⟦P|Di⟧"),
    "unicode labels": ("en", "⟦Ort|Oslo⟧ ⟦Persönlichkeit|Ana⟧ ⟦人|Bo⟧"),
    "empty": ("en", "Nobody came."),
    "long": ("en", " ".join("⟦PER|Ana Duarte⟧ left ⟦LOC|Oslo⟧ 🙂 ." for _ in range(286))),
}
BLANKS = {"blanks in labels": ("en", "⟦big org|Nordic Oil⟧ and ⟦LOC: place|Oslo⟧ .")}
# What brat can't show.
LACKING = [("brat", "blanks in labels")]


_MARKED = re.compile("⟦([^|]*)\\|([^⟧]*)⟧")


def parse(marked: str) -> tuple[str, Said]:
    """The text and its spans."""
    text, spans, at = "", [], 0
    for found in _MARKED.finditer(marked):
        text += marked[at : found.start()]
        spans.append((len(text), len(text) + len(found[2]), found[1]))
        text += found[2]
        at = found.end()
    return text + marked[at:], Said(spans)


def suggestions(doc: Doc, said: Said) -> tuple[Suggestion, ...]:
    spans = [doc.char_span(*span) for span in said.spans]
    return tuple(Suggestion(s.start, s.end, s.label_, 0.5) for s in spans if s is not None)


def round_trip(folder: Path, name: str, nlp: Language, marked: str, *, with_pool: bool) -> Ingested:
    """Four texts: one labelled, one skipped, one not yet, one labelled and empty."""
    text, gold = parse(marked)
    texts = [text, "Skip Ana.", "Later, Bo.", "Nobody came."]
    docs = [nlp.make_doc(one) for one in texts]
    assert len(suggestions(docs[0], gold)) == len(gold.spans)
    for doc in docs:
        doc.user_data[EXTRA_KEY] = {"source": "diary"}
    keys = [task_key(n, one) for n, one in enumerate(texts)]
    # A text editor changes lines in place: there the suggestions are right already.
    wrong = (Suggestion(0, 1, "WRONG", 0.25),)
    shown = [suggestions(docs[0], gold) if name == "brackets" else wrong, (), wrong, ()]
    shown[3] = () if name == "brackets" else wrong
    tasks = [
        Task(key, doc, 1, one, 0.5, "round-00")
        for key, doc, one in zip(keys, docs, shown, strict=True)
    ]
    path = folder / f"tasks{FORMATS[name].suffix}"
    FORMATS[name].write(tasks, path, ["PER", "NEW"])
    said = {keys[0]: gold, keys[1]: Said([], skipped=True), keys[3]: Said([])}
    export = EXPORTS[name](path, said)
    assert detect(export) == name
    pool = None
    if with_pool:
        pool = {k: PoolText(k, d.text, 0, {0: d.copy()}) for k, d in zip(keys, docs, strict=True)}
    found, rows = read_export(export)
    made = ingest(found, rows, nlp, pool, Rules())
    assert made.docs[0].text == text
    assert [(e.start_char, e.end_char, e.label_) for e in made.docs[0].ents] == gold.spans
    assert [doc.user_data[KEY] for doc in made.docs] == [keys[0], keys[3]]
    return made


@pytest.mark.parametrize("trap", [*TRAPS, *BLANKS])
@pytest.mark.parametrize("name", FORMATS)
def test_formats_round_trip(tmp_path: Path, name: str, trap: str) -> None:
    lang, marked = {**TRAPS, **BLANKS}[trap]
    nlp = spacy.blank(lang)
    if (name, trap) in LACKING:
        text, gold = parse(marked)
        doc = nlp.make_doc(text)
        with pytest.raises(SeqMixError, match=r"\[S650\].* place"):
            FORMATS[name].write([Task("0-a", doc, 0, suggestions(doc, gold))], tmp_path / "out", [])
        assert not (tmp_path / "out").exists()
        return
    for folder in ("with", "without"):
        (tmp_path / folder).mkdir()
        made = round_trip(tmp_path / folder, name, nlp, marked, with_pool=folder == "with")
        assert all(doc.has_annotation("ENT_IOB") for doc in made.docs)
        assert [len(doc.ents) for doc in made.docs][1] == 0
        # Prodigy exports answers only; doccano has no way to skip.
        if name == "prodigy":
            assert (made.skipped, made.not_yet) == (1, 0)
        elif name == "doccano":
            assert (made.skipped, made.not_yet) == (0, 2)
        else:
            assert (made.skipped, made.not_yet) == (1, 1)


def test_doccano_counts_utf16_units(tmp_path: Path) -> None:
    doc = spacy.blank("en").make_doc("🙂 Ana left.")
    task = Task("0-a", doc, 0, (Suggestion(1, 2, "PER", 0.5),))
    FORMATS["doccano"].write([task], tmp_path / "tasks.jsonl", [])
    text = (tmp_path / "tasks.jsonl").read_bytes().decode("ascii")
    assert json.loads(text)["label"] == [[3, 6, "PER"]]
    assert json.loads(json.loads(text)["seqmix_suggested"]) == [[3, 6, "PER", 0.5]]


def test_label_studio_shows_first_what_is_wanted_most(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    tasks = [
        Task(f"{n}-a", nlp.make_doc("Ana left."), 0, (), score) for n, score in [(0, 2.0), (1, 1.0)]
    ]
    FORMATS["label-studio"].write(tasks, tmp_path / "tasks.json", [])
    found = json.loads((tmp_path / "tasks.json").read_text("utf8"))
    scores = [task["predictions"][0]["score"] for task in found]
    assert scores[0] < scores[1]  # it serves the lowest first
    assert {task["predictions"][0]["model_version"] for task in found} == {"spacy-seqmix"}


def test_brat_shows_labels_that_were_not_suggested(tmp_path: Path) -> None:
    doc = spacy.blank("en").make_doc("Ana left.")
    task = Task("0-a", doc, 0, (Suggestion(0, 1, "PER", 0.5),))
    FORMATS["brat"].write([task], tmp_path / "out", ["ORG", "LOC"])
    conf = (tmp_path / "out" / "annotation.conf").read_text("utf8")
    assert conf.startswith("[entities]\nORG\nLOC\nPER\nTODO\nSKIP\n\n[relations]")


# Keys of a pool's line that are also names of fields in some format.
CLASHES = {
    **{"who": 5, "at": 7, "seconds": "long", "relations": "none", "unknown": [[0, 3]]},
    **{"key": "mine", "state": "CA", "spans": 3, "shown": [], "score": 0.5, "model": 1},
    **{"round": "x", "doc": {"id": 4}, "answer": "accept", "meta": {"a": 1}, "tokens": 2},
    **{"_view_id": "ner", "_input_hash": 1, "entities": [], "label": ["sport"], "labels": "s"},
    **{"id": "n7", "username": 3, "comments": "no", "Comments": 1, "annotator": {}, "data": 1},
    **{"seqmix_key": "9-a", "seqmix_suggested": "x", "seqmix_extra": "y", "n": [None, {"ü": 1}]},
    **{"lead_time": "x", "updated_at": 1, "annotation_id": 1, "nan": float("nan")},
}


@pytest.mark.parametrize("name", ["label-studio", "prodigy", "doccano", "jsonl"])
def test_formats_keep_other_keys_that_are_names_of_fields(tmp_path: Path, name: str) -> None:
    nlp, texts = spacy.blank("en"), ["Ana left.", "Bo came."]
    docs = [nlp.make_doc(text) for text in texts]
    docs[0].user_data[EXTRA_KEY] = CLASHES
    tasks = [Task(task_key(n, one.text), one, 0, ()) for n, one in enumerate(docs)]
    path = tmp_path / f"tasks{FORMATS[name].suffix}"
    FORMATS[name].write(tasks, path, [])
    assert "NaN," not in re.sub(r'"(\\.|[^"])*"', '""', path.read_text("utf8"))
    assert [row.state for row in read_export(path, name)[1]] == ["not yet"] * 2
    export = EXPORTS[name](path, {tasks[0].key: Said([(0, 3, "PER")])})
    assert detect(export) == name
    made = ingest(name, read_export(export)[1], nlp, None, Rules())
    (doc,) = made.docs
    assert doc.user_data[KEY] == tasks[0].key
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("Ana", "PER")]
    assert (
        doc.user_data[EXTRA_KEY].items()
        >= {**CLASHES, "nan": doc.user_data[EXTRA_KEY]["nan"]}.items()
    )
    assert json.dumps(doc.user_data[EXTRA_KEY]["nan"]) == "NaN"


def test_formats_keep_other_keys_of_files_of_others(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "Ana left.", "spans": [], "source": 3}', "utf8")
    (row,) = read_export(tmp_path / "a.jsonl")[1]
    assert row.extra == {"source": 3}
    (tmp_path / "a.jsonl").write_text('{"text": "A", "spans": [], "seqmix_extra": "{1"}', "utf8")
    with pytest.raises(SeqMixError, match=r"\[S646\] .*line 1.*seqmix_extra is no JSON object"):
        list(read_export(tmp_path / "a.jsonl", "jsonl")[1])


@pytest.mark.parametrize("key", ["label", "_input_hash", "labels", "entities", "tokens"])
def test_detect_knows_own_tasks_with_keys_of_a_tool(tmp_path: Path, key: str) -> None:
    row = {"key": "0-0123456789", "text": "A", "state": "not yet", "spans": []}
    given = [{"start_offset": 0}] if key == "entities" else []
    (tmp_path / "a.jsonl").write_text(json.dumps({key: given, **row}), "utf8")
    assert detect(tmp_path / "a.jsonl") == "jsonl"
    (tmp_path / "a.jsonl").write_text('{"text": "A", "tokens": [], "spans": [], "state": "CA"}')
    assert detect(tmp_path / "a.jsonl") == "prodigy"
