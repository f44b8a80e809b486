"""Column files: the counts of CoNLL-2003, and the tag schemes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_seqmix.cli import app
from spacy_seqmix.convert import convert_conll, read_conll

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
    n_docs = convert_conll(DATA / "raw" / f"{split}.txt", tmp_path / "out.spacy")
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
    ],
)
def test_conll_reads_iob2_iob1_and_io(
    tmp_path: Path, tags: str, ents: list[tuple[int, int, str]]
) -> None:
    path = tmp_path / "in.txt"
    rows = [f"w{i}\tNN {tag}" for i, tag in enumerate(tags.split())]
    path.write_text("-DOCSTART- -X- O\n\n" + "\r\n".join(rows), "utf8")
    (doc,) = read_conll(path, spacy.blank("en"))
    assert [(e.start, e.end, e.label_) for e in doc.ents] == ents
    assert doc.text == "w0 w1 w2 w3"
    assert len(list(doc.sents)) == 1


@pytest.mark.parametrize("row", ["alone", "w U-PER", "w B-", "w NN"])
def test_conll_refuses_other_rows(tmp_path: Path, row: str) -> None:
    path = tmp_path / "in.txt"
    path.write_text(f"a O\n\n{row}\n", "utf8")
    with pytest.raises(ValueError, match=r"S509.*in\.txt, line 3"):
        list(read_conll(path, spacy.blank("en")))


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
