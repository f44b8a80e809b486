"""Readers of event corpora, on documents made for these tests in the formats of others."""

import json
import shutil
from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_seqmix.cli import app
from spacy_seqmix.convert.ace import _plain

SGM = """<DOC>
<DOCID> MADE_1 </DOCID>
<DATETIME> 2003-01-01 </DATETIME>
<BODY>
<HEADLINE>
Troops attack nothing
</HEADLINE>
<TEXT>
<TURN>
<SPEAKER> BAKER &amp; SON </SPEAKER>
Smith &amp; Wesson  was
sold on Monday. The owner stepped
down, and died later.
</TURN>

<TURN>
<SPEAKER> ADA </SPEAKER>
Who blew it up? Dr. Who.

Nobody married.
</TURN>
</TEXT>
</BODY>
</DOC>
"""
# Type, subtype, and the trigger as it stands in the file.
EVENTS = [
    ("Transaction", "Transfer-Ownership", "sold"),
    ("Personnel", "End-Position", "stepped\ndown"),
    ("Life", "Die", "died"),
    ("Conflict", "Attack", "blew it up"),
    ("Movement", "Transport", "blew"),
    ("Life", "Marry", "married"),
]
# As the LDC's files begin.
HEAD = '<?xml version="1.0"?>\n<!DOCTYPE source_file SYSTEM "apf.v5.1.1.dtd">\n'
LABELS = [f"{kind}:{subtype}" for kind, subtype, _ in EVENTS]


def plain(text):
    """The text without tags, over which offsets count."""
    while "<" in text:
        start = text.index("<")
        text = text[:start] + text[text.index(">", start) + 1 :]
    return text


def annotation(shift=0):
    text, found = plain(SGM), []
    for kind, subtype, trigger in EVENTS:
        start = text.index(trigger, text.index("Smith")) + shift
        place = f'START="{start}" END="{start + len(trigger) - 1}"'
        found.append(
            f'<event ID="E" TYPE="{kind}" SUBTYPE="{subtype}"><event_mention ID="M">'
            f'<extent><charseq START="1" END="2">x</charseq></extent>'
            f"<anchor><charseq {place}>{trigger}</charseq></anchor></event_mention></event>"
        )
    events = "".join(found)
    return f'{HEAD}<source_file><document DOCID="MADE_1">{events}</document></source_file>'


@pytest.fixture
def ace(tmp_path):
    """A folder with one document, and a second one without events."""
    for name, text, xml in (
        ("MADE_1", SGM, annotation()),
        ("MADE_2", "<DOC><TEXT>\nIt rained.\n</TEXT></DOC>", "<source_file/>"),
    ):
        folder = tmp_path / "ace" / name[-1]
        folder.mkdir(parents=True)
        (folder / f"{name}.sgm").write_text(text)
        (folder / f"{name}.apf.xml").write_text(xml)
    return tmp_path / "ace"


# A trigger of a blank.
BLANK = (
    '<event TYPE="Life" SUBTYPE="Die"><event_mention><anchor><charseq START="{0}" END="{0}"> '
    "</charseq></anchor></event_mention></event>"
).format(plain(SGM).index("  was"))
WORDS = [["The", "owner", "stepped", "down", "and", "died", "."], ["Nobody", "blew", "it", "up"]]
TRIGGERS = [[(2, 4, LABELS[1]), (5, 6, LABELS[2])], [(1, 4, LABELS[3]), (1, 2, LABELS[4])]]


def made(layout, inclusive=False):
    """The same two sentences in a layout."""
    if layout == "dygiepp":
        events = [
            [
                [[start + 7 * i, label.replace(":", ".")], [0, 1, "Agent"]]
                for start, _, label in found
            ]
            for i, found in enumerate(TRIGGERS)
        ]
        # triggers of several tokens, as some versions have them
        events[0][0][0] = [2, 3, LABELS[1].replace(":", ".")]
        events[1][0][0] = [8, 10, LABELS[3].replace(":", ".")]
        return json.dumps({"doc_key": "made", "sentences": WORDS, "events": events})
    rows = []
    for words, triggers in zip(WORDS, TRIGGERS, strict=True):
        mentions = [
            {
                "event_type": label,
                "trigger": {
                    "text": " ".join(words[a:b]),
                    "start": a,
                    "end": b - inclusive,
                },
                "arguments": [],
            }
            for a, b, label in triggers
        ]
        if layout == "jmee":
            rows.append({"words": words, "golden-event-mentions": mentions})
        else:
            rows.append({"tokens": words, "event_mentions": mentions, "doc_id": "made"})
    return json.dumps(rows) if layout == "jmee" else "\n".join(map(json.dumps, rows))


def convert(source: Path, out: Path, *options):
    result = CliRunner().invoke(app, ["convert", str(source), str(out), *options])
    return result.exit_code, " ".join(result.output.split())


def read(path):
    return list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))


def ents(doc):
    return [(ent.text, ent.label_) for ent in doc.ents]


def died(folder, text):
    """What is read of a document whose last "died" is a trigger."""
    start = plain(text).rindex("died")
    (folder / "ace").mkdir()
    (folder / "ace" / "MADE_4.sgm").write_text(text)
    (folder / "ace" / "MADE_4.apf.xml").write_text(
        HEAD + '<source_file><document DOCID="MADE_4"><event TYPE="Life" SUBTYPE="Die">'
        f'<event_mention><anchor><charseq START="{start}" END="{start + 3}">died</charseq>'
        "</anchor></event_mention></event></document></source_file>"
    )
    code, output = convert(folder / "ace", folder / "out.spacy", "-f", "ace05")
    assert code == 0, output
    return read(folder / "out.spacy")


def test_events_of_the_ldc(ace, tmp_path):
    code, output = convert(ace, tmp_path / "out.spacy", "-f", "ace05")
    assert code == 0, output
    assert "5 triggers, 2 of several tokens; left out: 1 that overlapped, 0 that were" in output
    docs = read(tmp_path / "out.spacy")
    assert [doc.text for doc in docs] == [
        "Smith & Wesson was sold on Monday. ",
        "The owner stepped down, and died later.",
        "Who blew it up? ",
        "Dr. Who.",
        "Nobody married.",
        "It rained.",
    ]
    assert [ents(doc) for doc in docs] == [
        [("sold", LABELS[0])],
        [("stepped down", LABELS[1]), ("died", LABELS[2])],
        [("blew it up", LABELS[3])],
        [],
        [("married", LABELS[5])],
        [],
    ]
    assert [(e.start, e.end, e.start_char) for e in docs[1].ents] == [(2, 4, 10), (6, 7, 28)]


def test_events_are_where_the_ldc_has_them(tmp_path):
    """Of a word that is there twice, the one that the offsets name."""
    docs = died(tmp_path, "<DOC><TEXT>\nHe died. She died &amp; died again.\n</TEXT></DOC>")
    assert [doc.text.strip() for doc in docs] == ["He died.", "She died & died again."]
    assert [[(e.start, e.end, e.start_char) for e in doc.ents] for doc in docs] == [
        [],
        [(3, 4, 11)],
    ]


def test_events_of_texts_as_some_write_them(tmp_path):
    """Attributes, other letters, and characters by number."""
    (doc,) = died(tmp_path, '<doc><text id="1">\n&#39;He&#39; died.\n</text></doc>')
    assert doc.text == "'He' died."
    assert [ent.text for ent in doc.ents] == ["died"]


def test_events_of_some_documents_and_types(ace, tmp_path):
    (tmp_path / "docs.txt").write_text("bn/2/MADE_2.sgm\n\n")
    options = ["-f", "ace05", "--docs", str(tmp_path / "docs.txt")]
    assert convert(ace, tmp_path / "out.spacy", *options)[0] == 0
    assert [doc.text for doc in read(tmp_path / "out.spacy")] == ["It rained."]
    (tmp_path / "docs.txt").write_text("MADE_3\n")
    code, output = convert(ace, tmp_path / "again.spacy", *options)
    assert code == 1
    assert "[S544]" in output
    assert "MADE_3" in output
    convert(ace, tmp_path / "out.spacy", "-f", "ace05", "--types")
    labels = {ent.label_ for doc in read(tmp_path / "out.spacy") for ent in doc.ents}
    assert labels == {"Transaction", "Personnel", "Life", "Conflict"}


def test_events_of_the_last_pass(ace, tmp_path):
    for folder in ("adj", "fp1", "timex2norm"):
        shutil.copytree(ace / "1", ace / "bn" / folder)
        text = annotation().replace("Marry", folder)
        (ace / "bn" / folder / "MADE_1.apf.xml").write_text(text)
    shutil.rmtree(ace / "1")
    assert convert(ace, tmp_path / "out.spacy", "-f", "ace05")[0] == 0
    labels = {ent.label_ for doc in read(tmp_path / "out.spacy") for ent in doc.ents}
    assert "Life:timex2norm" in labels
    (ace / "bn" / "timex2norm").rename(ace / "bn" / "other")
    code, output = convert(ace, tmp_path / "again.spacy", "-f", "ace05")
    assert code == 1
    assert "[S545]" in output


def test_events_refuse_an_empty_list_of_documents(ace, tmp_path):
    (tmp_path / "docs.txt").write_text("\n")
    options = ["-f", "ace05", "--docs", str(tmp_path / "docs.txt")]
    code, output = convert(ace, tmp_path / "out.spacy", *options)
    assert code == 1
    assert "[S546]" in output


def test_events_without_a_word(ace, tmp_path):
    blank = annotation().replace("</document>", BLANK + "</document>")
    (ace / "1" / "MADE_1.apf.xml").write_text(blank)
    code, output = convert(ace, tmp_path / "out.spacy", "-f", "ace05")
    assert code == 1
    assert "[S543]" in output
    assert convert(ace, tmp_path / "out.spacy", "-f", "ace05", "--skip")[0] == 0


def test_events_where_the_two_files_disagree(ace, tmp_path):
    (ace / "1" / "MADE_1.apf.xml").write_text(annotation(shift=1))
    code, output = convert(ace, tmp_path / "out.spacy", "-f", "ace05")
    assert code == 1
    assert "[S543]" in output
    assert "MADE_1.sgm, characters" in output
    assert not (tmp_path / "out.spacy").exists()
    code, output = convert(ace, tmp_path / "out.spacy", "-f", "ace05", "--skip")
    assert code == 0
    assert "0 triggers" in output
    assert f"{len(EVENTS)} that were elsewhere" in output
    (ace / "1" / "MADE_1.apf.xml").write_text("<source_file>")
    assert "[S501]" in convert(ace, tmp_path / "again.spacy", "-f", "ace05", "--skip")[1]
    (ace / "1" / "MADE_1.sgm").unlink()
    code, output = convert(ace, tmp_path / "again.spacy", "-f", "ace05")
    assert "[S542]" in output
    assert not (tmp_path / "again.spacy").exists()


@pytest.mark.parametrize("layout", ["jmee", "oneie", "dygiepp"])
def test_events_of_json_layouts(tmp_path, layout):
    (tmp_path / "in.json").write_text(made(layout))
    code, output = convert(tmp_path / "in.json", tmp_path / "out.spacy", "-f", layout)
    assert code == 0, output
    assert "3 triggers, 2 of several tokens; left out: 1 that overlapped" in output
    docs = read(tmp_path / "out.spacy")
    assert [[t.text for t in doc] for doc in docs] == WORDS
    assert [[(e.start, e.end, e.label_) for e in doc.ents] for doc in docs] == [
        TRIGGERS[0],
        TRIGGERS[1][:1],
    ]


def test_events_of_forks_with_inclusive_ends(tmp_path):
    (tmp_path / "in.json").write_text(made("jmee", inclusive=True))
    assert convert(tmp_path / "in.json", tmp_path / "out.spacy", "-f", "jmee")[0] == 0
    assert [len(doc.ents) for doc in read(tmp_path / "out.spacy")] == [2, 1]


@pytest.mark.parametrize("layout", ["jmee", "oneie"])
def test_events_elsewhere(tmp_path, layout):
    (tmp_path / "in.json").write_text(
        made(layout).replace('"died"}', '"rose"}').replace('"text": "died"', '"text": "rose"')
    )
    code, output = convert(tmp_path / "in.json", tmp_path / "out.spacy", "-f", layout)
    assert code == 1
    assert "[S541]" in output
    assert "1: the trigger 5 to 6 is 'died', where the file says 'rose'" in output
    code, output = convert(tmp_path / "in.json", tmp_path / "out.spacy", "-f", layout, "--skip")
    assert code == 0
    assert "2 triggers" in output
    assert "1 that were elsewhere" in output


@pytest.mark.parametrize(
    ("layout", "text", "what"),
    [
        ("jmee", "{", "Expecting"),
        ("jmee", "{}", "a list is needed, not a dict"),
        ("jmee", '[{"words": "a"}]', "sentence 1: words: Input should be a valid list"),
        ("jmee", '[{"words": ["a"], "golden-event-mentions": [{}]}]', "trigger: Field required"),
        ("oneie", "\n[1]", "line 2"),
        (
            "oneie",
            '{"tokens": ["a"], "event_mentions": [{"trigger": {"start": "0"}}]}',
            "trigger.start: Input",
        ),
        ("dygiepp", "{}", "line 1: sentences: Field required"),
        ("dygiepp", '{"sentences": [["a"]], "events": []}', "0 lists for 1 sentences"),
        ("dygiepp", '{"sentences": [["a"]], "events": [[[[]]]]}', "begins with [token, type]"),
        (
            "dygiepp",
            '{"sentences": [["a"]], "events": [null]}',
            "events.0: Input should be a valid list",
        ),
        ("dygiepp", '{"sentences": [["a"]], "events": [[[[0, 0]]]]}', "begins with [token, type]"),
        ("dygiepp", '{"sentences": [["a"]], "events": [[[[5, "A.B"]]]]}', "trigger 5 to 6"),
        ("dygiepp", '{"sentences": [["a"]], "events": [[[[5, "A.B"]]]]}', "sentence of 1 tokens"),
        ("dygiepp", '{"sentences": [["a"]], "events": [[[[0.9, "A.B"]]]]}', "[token, type]: [[0.9"),
        (
            "dygiepp",
            '{"sentences": [["a"]], "events": [[[[true, "A.B"]]]]}',
            "[token, type]: [[True",
        ),
        ("dygiepp", '{"sentences": [["a"]], "_sentence_start": ["x"]}', "line 1: _sentence_start"),
    ],
)
def test_events_refuse_bad_rows(tmp_path, layout, text, what):
    (tmp_path / "in.json").write_text(text)
    code, output = convert(tmp_path / "in.json", tmp_path / "out.spacy", "-f", layout)
    assert code == 1
    assert "[S54" in output or "[S530]" in output
    assert what in output
    assert not (tmp_path / "out.spacy").exists()


@pytest.mark.parametrize("option", [["--types"], ["--docs", "x"], ["--whole-docs"]])
def test_events_options_are_of_events(tmp_path, option):
    (tmp_path / "in.txt").write_text("[PER Ann] left")
    code, output = convert(tmp_path / "in.txt", tmp_path / "out.spacy", *option)
    assert code == 1
    assert "[S538]" in output
    assert option[0] in output


def test_convert_takes_labels_of_brackets_alone(tmp_path):
    (tmp_path / "in.json").write_text("[]")
    code, output = convert(tmp_path / "in.json", tmp_path / "out", "-f", "jmee", "--labels", "PER")
    assert code == 1
    assert "[S538] --labels is for --format brackets" in output


def test_events_of_unclosed_tags_are_read_in_linear_time():
    """A quadratic reader would take minutes."""
    text, regions = _plain(
        "<TEXT>" * 100_000 + "<" * 100_000 + "<TEXT>a <POSTER>b</POSTER> c</TEXT>"
    )
    assert [text[start:end] for start, end in regions][-2:] == ["a ", " c"]
