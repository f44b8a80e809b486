"""Column files: the counts of CoNLL-2003, and the tag schemes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_seqmix.cli import app
from spacy_seqmix.convert import convert_file, read_conll

DATA = Path(__file__).parents[3] / "shared" / "data" / "conll03"

COUNTS = {
    "train": (14041, 203621, {"LOC": 7140, "PER": 6600, "ORG": 6321, "MISC": 3438}),
    "valid": (3250, 51362, {"PER": 1842, "LOC": 1837, "ORG": 1341, "MISC": 922}),
    "test": (3453, 46435, {"LOC": 1668, "ORG": 1661, "PER": 1617, "MISC": 702}),
}


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "raw").is_dir(), reason="CoNLL-2003 is not here")
@pytest.mark.parametrize("split", COUNTS)
def test_conll_counts_of_conll_2003(tmp_path: Path, split: str) -> None:
    n_docs = convert_file(DATA / "raw" / f"{split}.txt", tmp_path / "out.spacy").docs
    docs = list(DocBin().from_disk(tmp_path / "out.spacy").get_docs(spacy.blank("en").vocab))
    kinds = Counter(ent.label_ for doc in docs for ent in doc.ents)
    assert (n_docs, sum(map(len, docs)), dict(kinds)) == COUNTS[split]
    clean = (DATA / f"{'dev' if split == 'valid' else split}.txt").read_text("utf8")
    expected = [
        [tuple(line.split("\t")) for line in block.split("\n")]
        for block in clean.strip("\n").split("\n\n")
    ]
    assert expected == [
        [(t.text, f"{t.ent_iob_}-{t.ent_type_}" if t.ent_type_ else "O") for t in doc]
        for doc in docs
    ]


@pytest.mark.parametrize(
    ("tags", "ents"),
    [
        ("B-PER I-PER O B-LOC", [(0, 2, "PER"), (3, 4, "LOC")]),
        ("B-PER B-PER I-PER O", [(0, 1, "PER"), (1, 3, "PER")]),
        ("I-PER B-PER I-LOC I-LOC", [(0, 1, "PER"), (1, 2, "PER"), (2, 4, "LOC")]),
        ("O I-PER O I-PER", [(1, 2, "PER"), (3, 4, "PER")]),
        ("B-Justice:Arrest-Jail O O O", [(0, 1, "Justice:Arrest-Jail")]),
        ("B-PER E-PER S-PER O", [(0, 2, "PER"), (2, 3, "PER")]),
        ("B-PER I-PER E-PER I-PER", [(0, 3, "PER"), (3, 4, "PER")]),
        ("B-PER L-PER U-PER U-PER", [(0, 2, "PER"), (2, 3, "PER"), (3, 4, "PER")]),
        ("B-PER M-PER E-PER W-LOC", [(0, 3, "PER"), (3, 4, "LOC")]),
    ],
)
def test_conll_reads_every_scheme(
    tmp_path: Path, tags: str, ents: list[tuple[int, int, str]]
) -> None:
    path = tmp_path / "in.txt"
    rows = [f"w{i}\tNN {tag}" for i, tag in enumerate(tags.split())]
    path.write_text("-DOCSTART- -X- O\n\n" + "\r\n".join(rows), "utf8")
    (doc,) = read_conll(path, spacy.blank("en"))
    assert [(e.start, e.end, e.label_) for e in doc.ents] == ents
    assert doc.text == "w0 w1 w2 w3"
    assert len(list(doc.sents)) == 1


@pytest.mark.parametrize("row", ["alone", "w X-PER", "w B-", "w NN"])
def test_conll_refuses_other_rows(tmp_path: Path, row: str) -> None:
    path = tmp_path / "in.txt"
    path.write_text(f"a B-PER\n\n{row}\n", "utf8")
    with pytest.raises(ValueError, match=r"S509.*in\.txt, line 3"):
        list(read_conll(path, spacy.blank("en")))


def test_conll_reads_tags_without_prefixes(tmp_path: Path) -> None:
    text = "Ana Lunt\tPER\nmet\tO\nNew York\tLOC\nDr.\tPER\n\nBo\tPER\n"
    with pytest.warns(UserWarning, match=r"W542.*in\.txt.* labels LOC, PER\."):
        docs = _read(tmp_path, text)
    assert docs == [
        ("Ana Lunt met New York Dr.", [("Ana Lunt", "PER"), ("New York", "LOC"), ("Dr.", "PER")]),
        ("Bo", [("Bo", "PER")]),
    ]
    with pytest.warns(UserWarning, match=r"W542.* labels LOC\."):
        _read(tmp_path, "New York\tLOC\nmet\tO\n", column=2)
    # parts of speech are no entities
    with pytest.raises(ValueError, match=r"S509.*line 1"):
        _read(tmp_path, "Ana NNP\nmet VBD\n")


@pytest.mark.parametrize("tags", ["B_PER I_PER", "PER-B PER-I", "b-per i-per", "B.PER E.PER"])
def test_conll_refuses_prefixes_that_it_does_not_know(tmp_path: Path, tags: str) -> None:
    rows = [f"w {tag}" for tag in [*tags.split(), "O"]]
    with pytest.raises(ValueError, match=r"S509.*line 1"):
        _read(tmp_path, "\n".join(rows))


def _read(tmp_path: Path, text: str, **settings: Any) -> list[tuple[str, list[tuple[str, str]]]]:
    path = tmp_path / "in.txt"
    path.write_bytes(text.encode("utf8"))
    docs = read_conll(path, spacy.blank("en"), **settings)
    return [(doc.text, [(ent.text, ent.label_) for ent in doc.ents]) for doc in docs]


def test_conll_splits_at_tabs_and_keeps_every_word(tmp_path: Path) -> None:
    rows = "Ana Lunt\tB-PER\nmet\tO\nNew York\tB-LOC\nCity\tI-LOC\n"
    expected = [("Ana Lunt met New York City", [("Ana Lunt", "PER"), ("New York City", "LOC")])]
    assert _read(tmp_path, rows) == expected


def test_conll_drops_blank_tokens(tmp_path: Path) -> None:
    rows = "สมชาย\tB-PER\n \tI-PER\nใจดี\tI-PER\nไป\tO\n"
    assert _read(tmp_path, rows) == [("สมชาย ใจดี ไป", [("สมชาย ใจดี", "PER")])]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_conll_reads_all_line_ends(tmp_path: Path, end: str) -> None:
    rows = end.join(["Ana B-PER", "Lunt I-PER", "left O", "", "Bo B-PER", ""])
    assert _read(tmp_path, rows) == [
        ("Ana Lunt left", [("Ana Lunt", "PER")]),
        ("Bo", [("Bo", "PER")]),
    ]


def test_conll_skips_comments_but_not_hashes(tmp_path: Path) -> None:
    rows = "# sent_id = 7\n# text = Ana met\nAna B-PER\nmet O\n\n# O\n1 O\n"
    assert _read(tmp_path, rows) == [("Ana met", [("Ana", "PER")]), ("# 1", [])]


@pytest.mark.parametrize("column", [3, -2, "NER"])
def test_conll_takes_a_column_by_number_or_name(tmp_path: Path, column: int | str) -> None:
    rows = "# global.columns = FORM XPOS NER CHUNK\nAna NNP B-PER O\nleft VBD O O\n"
    assert _read(tmp_path, rows, column=column) == [("Ana left", [("Ana", "PER")])]


def test_conll_refuses_an_unknown_column(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"S547.*'NER'.*FORM"):
        _read(tmp_path, "# global.columns = FORM XPOS\nAna O\n", column="NER")


def test_conll_skip_leaves_out_whole_sentences(tmp_path: Path) -> None:
    rows = "Ana B-PER\nleft\n\nBo B-PER\n\nEve NN\n"
    with pytest.warns(UserWarning, match="W540") as caught:
        assert _read(tmp_path, rows, skip=True) == [("Bo", [("Bo", "PER")])]
    assert len(caught) == 2


def test_convert_warns_where_no_doc_has_an_entity(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("Ana NNP B-PER O\nleft VBD O O\n", "utf8")
    with pytest.warns(UserWarning, match=r"W541.*0 entities in 1 doc "):
        convert_file(path, tmp_path / "out.spacy", "conll")


def test_conll_whole_docs(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    rows = "-DOCSTART- -X- O\n\na O\nb I-X\n\nc I-X\n\n-DOCSTART- -X- O\n\nd B-Y\ne I-Y\n"
    path.write_text(rows, "utf8")
    first, second = read_conll(path, spacy.blank("en"), whole_docs=True)
    assert first.text == "a b c"
    assert [sent.text for sent in first.sents] == ["a b", "c"]
    # An entity ends with its sentence.
    assert [(e.text, e.label_) for e in first.ents] == [("b", "X"), ("c", "X")]
    assert [(e.text, e.label_) for e in second.ents] == [("d e", "Y")]
    assert len(list(read_conll(path, spacy.blank("en")))) == 3


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "raw").is_dir(), reason="CoNLL-2003 is not here")
def test_conll_whole_docs_of_conll_2003(tmp_path: Path) -> None:
    docs = list(read_conll(DATA / "raw" / "valid.txt", spacy.blank("en"), whole_docs=True))
    assert len(docs) == 216
    assert sum(len(list(doc.sents)) for doc in docs) == 3250
    assert sum(len(doc.ents) for doc in docs) == 5942


def test_conll_whole_docs_is_for_columns(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("[PER Ana] left.\n", "utf8")
    done = CliRunner().invoke(app, ["convert", str(path), str(tmp_path / "o"), "--whole-docs"])
    assert done.exit_code == 1
    assert "S538" in done.output
    assert not (tmp_path / "o").exists()
