"""Detection of formats, and what `convert` does with every one of them."""

import json

import pytest
import spacy
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_seqmix.cli import app
from spacy_seqmix.cli.convert import Format
from spacy_seqmix.convert import FORMATS, convert_file, detect
from spacy_seqmix.errors import plural

ENTITY = {"start": 0, "end": 1, "label": "PER"}
TRIGGER = {"start": 1, "end": 2, "text": "left"}
EVENT = {"event_type": "Movement:Transport", "trigger": TRIGGER}
# What a person would hand over, without a word on its format.
SAMPLES = {
    "brackets": "# a comment\n[PER Ana] left.\n",
    "conll": "Ana B-PER\nleft O\n",
    "relations": json.dumps({"tokens": ["Ana", "left"], "entities": [ENTITY]}),
    "semeval": "Other\tThe <e1>rain</e1> and the <e2>flood</e2>.\n",
    "jmee": json.dumps([{"words": ["Ana", "left"], "golden-event-mentions": [EVENT]}], indent=1),
    "dygiepp": json.dumps({"sentences": [["Ana", "left"]], "events": [[[[1, "A.B"]]]]}),
    "oneie": json.dumps({"tokens": ["Ana", "left"], "event_mentions": [EVENT]}),
}


def run(*words):
    result = CliRunner().invoke(app, ["convert", *map(str, words)])
    return result.exit_code, " ".join(result.output.split())


def test_formats_of_the_command_are_those_that_can_be_read():
    assert {one.value for one in Format} == {"auto", *FORMATS}


@pytest.mark.parametrize("name", SAMPLES)
def test_convert_detects_the_format_and_says_which(tmp_path, name):
    (tmp_path / "in.txt").write_text(SAMPLES[name], "utf8")
    code, output = run(tmp_path / "in.txt", tmp_path / "out.spacy")
    assert code == 0, output
    assert f"Format: {name} (detected" in output
    (doc,) = DocBin().from_disk(tmp_path / "out.spacy").get_docs(spacy.blank("en").vocab)
    assert len(doc.ents) == (2 if name == "semeval" else 1)
    assert f"1 doc ({plural(len(doc), 'token')}, {plural(len(doc.ents), 'entity')})" in output


@pytest.mark.parametrize(
    "rows", ["Ana\tB-PER\tO\nleft\tO\tO\n", "-DOCSTART- -X- O\n\nA NN O\nb NN O"]
)
def test_detect_knows_columns_by_their_tags(tmp_path, rows):
    (tmp_path / "in.txt").write_text(rows, "utf8")
    assert detect(tmp_path / "in.txt") == "conll"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Vitamin O\nis good.\nBlood group O\n", "text"),
        ("[PER Ana] has group O\n", "brackets"),
        ("It rained.\n" * 300 + "[PER Ana] left.\n", "brackets"),
    ],
)
def test_detect_takes_sentences_for_no_columns(tmp_path, text, expected):
    (tmp_path / "in.txt").write_text(text, "utf8")
    assert detect(tmp_path / "in.txt") == expected


@pytest.mark.parametrize("text", ['{"label": "PER"}', "[1", "["])
def test_detect_of_json_that_is_not_known(tmp_path, text):
    (tmp_path / "in.txt").write_text(text, "utf8")
    code, output = run(tmp_path / "in.txt", tmp_path / "out.spacy")
    assert code == 1
    assert "[S548]" in output
    assert not (tmp_path / "out.spacy").exists()


RAW = {
    "in.txt": "Ana left [...] .\n# Bo came: C:\\temp.\n\n",
    "in.jsonl": '{"text": "Ana left [...] .", "id": 3}\n{"text": "# Bo came: C:\\\\temp."}\n',
}


@pytest.mark.parametrize("name", RAW)
def test_convert_leaves_raw_text_without_annotation(tmp_path, name):
    (tmp_path / name).write_text(RAW[name], "utf8")
    code, output = run(tmp_path / name, tmp_path / "out.spacy")
    assert code == 0
    assert "Format: text" in output
    assert "Wrote 2 texts" in output
    assert "nobody has labelled them yet" in output
    assert "entit" not in output
    docs = list(DocBin().from_disk(tmp_path / "out.spacy").get_docs(spacy.blank("en").vocab))
    assert [doc.text for doc in docs] == ["Ana left [...] .", "# Bo came: C:\\temp."]
    assert not any(doc.has_annotation("ENT_IOB") for doc in docs)
    assert docs[0].user_data == ({"seqmix_extra": {"id": 3}} if name == "in.jsonl" else {})


def test_convert_text_without_brackets_is_labelled_where_the_format_says_so(tmp_path):
    (tmp_path / "in.txt").write_text("Ana left.\nBo came.\n", "utf8")
    code, output = run(tmp_path / "in.txt", tmp_path / "out.spacy", "-f", "brackets")
    assert code == 0
    assert "[W541] 0 entities in 2 docs" in output


def test_convert_skips_texts_that_cannot_be_read(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "Ana left."}\n{"txt": 1}\n', "utf8")
    code, output = run(tmp_path / "in.jsonl", tmp_path / "out.spacy")
    assert code == 1
    assert "in.jsonl, line 2" in output
    code, output = run(tmp_path / "in.jsonl", tmp_path / "out.spacy", "--skip")
    assert code == 0
    assert "[W540]" in output
    assert "Wrote 1 text " in output


TOOLS = {
    "label-studio": '[{"id": 1, "data": {"text": "Ana left."}, "annotations": []}]',
    "prodigy": '{"text": "Ana left.", "_input_hash": 3, "spans": [], "answer": "accept"}',
    "doccano": '{"id": 4, "text": "Ana left.", "label": [[0, 3, "PER"]], "Comments": []}',
    "jsonl": '{"key": "0-ab", "text": "Ana left.", "spans": []}',
}


@pytest.mark.parametrize("tool", TOOLS)
def test_convert_names_the_command_for_files_of_annotation_tools(tmp_path, tool):
    (tmp_path / "in.json").write_text(TOOLS[tool], "utf8")
    code, output = run(tmp_path / "in.json", tmp_path / "out.spacy")
    assert code == 1
    assert "[S647]" in output
    assert f"({tool})" in output
    assert "spacy seqmix ingest" in output
    assert not (tmp_path / "out.spacy").exists()


def test_convert_writes_into_a_folder(tmp_path):
    (tmp_path / "in.txt").write_text(SAMPLES["conll"], "utf8")
    (tmp_path / "corpus").mkdir()
    assert convert_file(tmp_path / "in.txt", tmp_path / "corpus").path.name == "in.spacy"
    assert (tmp_path / "corpus" / "in.spacy").exists()


def test_convert_refuses_its_input_as_output(tmp_path):
    source = tmp_path / "in.txt"
    source.write_text(SAMPLES["conll"], "utf8")
    (tmp_path / "link.spacy").symlink_to(source)
    for out in (source, tmp_path / "link.spacy"):
        code, output = run(source, out)
        assert code == 1
        assert "[S549]" in output
    assert source.read_text("utf8") == SAMPLES["conll"]


def test_convert_column_and_skip_reach_the_reader(tmp_path):
    (tmp_path / "in.txt").write_text("Ana B-PER x\n\nleft\n", "utf8")
    code, output = run(
        tmp_path / "in.txt", tmp_path / "o.spacy", "--column", "2", "--skip", "-f", "conll"
    )
    assert code == 0, output
    assert "[W540]" in output
    assert "1 doc (1 token, 1 entity)" in output


@pytest.mark.parametrize("advice", ["--skip", "--column 2"])
def test_convert_advice_of_s509_works(tmp_path, advice):
    """What the message says to do, done."""
    (tmp_path / "in.txt").write_text("Ana B-PER x\nleft O x\n\nBo B-PER B-PER\n", "utf8")
    words = [tmp_path / "in.txt", tmp_path / "out.spacy", "-f", "conll"]
    code, output = run(*words)
    assert code == 1
    assert advice.split()[0] in output
    code, output = run(*words, *advice.split())
    assert code == 0, output


@pytest.mark.parametrize("stretch", ["(" * 4000, '{"a":' * 10_000])
@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("brackets", "Ana left. {}\n[PER Bo] came.\n"),
        ("semeval", "Other\tThe <e1>rain</e1> {} <e2>flood</e2>.\n"),
        ("relations", '{{"text": {json}, "entities": []}}\n{{"text": "Bo came."}}\n'),
        ("ace05", "<TEXT>\n{}\n\nBo came.\n</TEXT>"),
    ],
)
def test_convert_refuses_what_tokenizers_take_minutes_for(tmp_path, format, text, stretch):
    source = tmp_path / "in.sgm"
    source.write_text(text.format(stretch, json=json.dumps(f"Ana {stretch}")), "utf8")
    if format == "ace05":
        (tmp_path / "in.apf.xml").write_text("<source_file/>", "utf8")
        source = tmp_path
    with pytest.raises(ValueError, match=r"^\[S601\].*(in.sgm|character)"):
        convert_file(source, tmp_path / "o.spacy", format)


@pytest.mark.parametrize("encoding", ["klingon", "utf-7", "utf-16"])
def test_convert_names_the_file_of_an_unknown_encoding(tmp_path, encoding):
    (tmp_path / "a.sgm").write_text("<TEXT>\nAna left.\n</TEXT>", "utf8")
    text = f'<?xml version="1.0" encoding="{encoding}"?><source_file/>'
    (tmp_path / "a.apf.xml").write_text(text, "utf8")
    with pytest.raises(ValueError, match=r"S501.*a\.apf\.xml.*encoding"):
        convert_file(tmp_path, tmp_path / "o.spacy", "ace05")


JSON = {
    "nested": ("[" * 100_000, "nested too deeply"),
    "object": ('{"tokens":' * 100_000, "nested too deeply"),
    "digits": ('{"tokens": ["a"], "entities": [{"start": ' + "9" * 5000, "4300 digits"),
    "surrogate": ('{"tokens": ["\\ud800"]}', "surrogates not allowed"),
}


@pytest.mark.parametrize("format", ["relations", "jmee", "dygiepp", "oneie"])
@pytest.mark.parametrize("kind", JSON)
def test_convert_says_what_is_wrong_with_json(tmp_path, format, kind):
    text, reason = JSON[kind]
    (tmp_path / "in.json").write_text(text, "utf8")
    with pytest.raises(ValueError, match=rf"S530.*in\.json.*{reason}"):
        convert_file(tmp_path / "in.json", tmp_path / "o.spacy", format)
