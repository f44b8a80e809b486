"""Probabilities of weak labels, as skweak leaves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from numpy.testing import assert_allclose
from spacy.tokens import Doc, Span
from typer.testing import CliRunner

from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.annotation.docbins import read_docs, write_docs
from spacy_seqmix.cli import app
from spacy_seqmix.errors import SeqMixError

NLP = spacy.blank("en")
WORDS = ["Ana", "Duarte", "left", "old", "Oslo", "."]
PROBS = {0: {"B-PER": 0.95}, 1: {"I-PER": 0.75}, 4: {"B-LOC": 0.6, "B-PER": 0.3}}


def weak(
    probs: Any = PROBS,
    functions: Mapping[str, Sequence[tuple[int, int, str]]] | None = None,
    name: str = "hmm",
) -> Doc:
    """A doc as an aggregator leaves it."""
    doc = Doc(NLP.vocab, words=WORDS)
    functions = (
        {"names": [(0, 2, "PER")], "places": [(3, 5, "LOC")]} if functions is None else functions
    )
    for key, spans in functions.items():
        doc.spans[key] = [Span(doc, start, end, label) for start, end, label in spans]
    doc.spans[name] = [Span(doc, 0, 2, "PER")]
    doc.spans[name].attrs.update(probs=probs, aggregated=True, sources=list(functions))
    return doc


def convert(folder: Path, docs: Sequence[Doc], *options: object) -> tuple[int, str, Path]:
    write_docs(docs, folder / "weak.spacy")
    out = folder / "out.spacy"
    args = ["convert", folder / "weak.spacy", out, *options]
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    return result.exit_code, " ".join(result.output.split()), out


def rows_of(doc: Doc) -> dict[str, list[float]]:
    """The probabilities of a doc's tokens, by tag."""
    soft = soft_labels.of(doc)
    return {
        tag: [round(float(p), 4) for p in soft.probs[:, n]] for n, tag in enumerate(soft.labels)
    }


def test_skweak_outside_has_the_rest_where_a_function_covers(tmp_path: Path) -> None:
    code, output, out = convert(tmp_path, [weak()])
    assert code == 0, output
    assert "Format: skweak (detected" in output
    (doc,) = read_docs(out, NLP)
    rows = rows_of(doc)
    # "old" is covered, but without a probability of 0.1; "left" and "." are not covered.
    assert rows["O"] == [0.05, 0.25, 0.0, 1.0, 0.1, 0.0]
    assert rows["B-PER"] == [0.95, 0.0, 0.0, 0.0, 0.3, 0.0]
    assert rows["I-PER"] == [0.0, 0.75, 0.0, 0.0, 0.0, 0.0]
    assert rows["B-LOC"] == [0.0, 0.0, 0.0, 0.0, 0.6, 0.0]
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("Ana Duarte", "PER"), ("Oslo", "LOC")]
    assert [token.ent_iob for token in doc] == [3, 1, 0, 2, 3, 0]
    assert set(doc.spans) == {soft_labels.SPANS_KEY}


def test_skweak_outside_option(tmp_path: Path) -> None:
    empty = weak({}, {})
    code, output, out = convert(tmp_path, [weak(), empty], "--outside")
    assert code == 0, output
    assert "W732" not in output
    docs = read_docs(out, NLP)
    assert rows_of(docs[0])["O"] == [0.05, 0.25, 1.0, 1.0, 0.1, 1.0]
    assert [token.ent_iob_ for token in docs[1]] == ["O"] * 6


def test_skweak_says_how_little_is_known(tmp_path: Path) -> None:
    code, output, out = convert(tmp_path, [weak(), weak([], {}), weak({}, {})])
    assert code == 0, output
    assert "[W732]" in output
    assert "labels are known of 4 tokens, of which 1 are outside" in output
    assert "2 docs without any are left out" in output
    assert len(read_docs(out, NLP)) == 1


def test_skweak_needs_no_spans_of_functions(tmp_path: Path) -> None:
    code, output, out = convert(tmp_path, [weak(functions={})])
    assert code == 0, output
    assert [token.ent_iob for token in read_docs(out, NLP)[0]] == [3, 1, 0, 0, 3, 0]


@pytest.mark.parametrize(
    ("probs", "wanted"),
    [
        ({0: {"B-PER": 0.9}, 1: {"L-PER": 0.8}, 4: {"U-LOC": 0.5, "B-LOC": 0.3}}, "BILUO"),
        ({0: {"I-PER": 0.9}, 1: {"I-PER": 0.8}, 4: {"I-LOC": 0.8}}, "IO"),
        ({np.int64(0): {"B-PER": np.float32(0.9)}, np.int64(1): {"I-PER": 0.8}}, "numpy"),
    ],
)
def test_skweak_schemes(tmp_path: Path, probs: Any, wanted: str) -> None:
    code, output, out = convert(tmp_path, [weak(probs)])
    assert code == 0, output
    (doc,) = read_docs(out, NLP)
    assert [ent.text for ent in doc.ents] == ["Ana Duarte", "Oslo"][: 1 + (wanted != "numpy")]
    rows = rows_of(doc)
    assert_allclose(rows["B-PER"][0], 0.9, atol=1e-4)
    # In IO, the second word begins an entity where the first is none.
    expected = (0.8 * 0.1, 0.8 * 0.9) if wanted == "IO" else (0.0, 0.8)
    assert_allclose((rows["B-PER"][1], rows["I-PER"][1]), expected, atol=1e-4)
    if wanted != "numpy":
        assert_allclose(rows["B-LOC"][4], 0.8, atol=1e-4)


def test_skweak_chooses_a_group(tmp_path: Path) -> None:
    doc = weak()
    doc.spans["mv"] = []
    doc.spans["mv"].attrs["probs"] = {4: {"B-LOC": 0.9}}
    code, output, _ = convert(tmp_path, [doc])
    assert code == 1
    assert "[S732]" in output
    assert "there are: 'hmm', 'mv'" in output
    code, output, out = convert(tmp_path, [doc], "--group", "mv")
    assert code == 0, output
    assert [ent.text for ent in read_docs(out, NLP)[0].ents] == ["Oslo"]
    code, output, _ = convert(tmp_path, [doc], "--group", "hmm2")
    assert code == 1
    assert "no span group 'hmm2' has probabilities; those that have: 'hmm', 'mv'" in output


def test_skweak_refuses_docs_without_probabilities(tmp_path: Path) -> None:
    code, output, out = convert(tmp_path, [NLP.make_doc("Ana left.")])
    assert code == 1
    assert "[S732]" in output
    assert not out.exists()


BAD = {
    "a token too many": {6: {"B-PER": 0.9}},
    "no number": {0: {"B-PER": "high"}},
    "not a number": {0: {"B-PER": float("nan")}},
    "less than nothing": {0: {"B-PER": -0.1}},
    "more than 1": {0: {"B-PER": 0.9, "B-LOC": 0.3}},
    "labels without a prefix": {0: {"PER": 0.9}},
    "no dict of tags": {0: 0.9},
    "a list": [[0, 1]],
}


@pytest.mark.parametrize("name", BAD)
def test_skweak_refuses_or_leaves_out_bad_probabilities(tmp_path: Path, name: str) -> None:
    code, output, out = convert(tmp_path, [weak(), weak(BAD[name])])
    assert code == 1
    assert "[S733] Doc 1 of" in output
    assert "doc.spans['hmm']" in output
    assert not out.exists()
    code, output, out = convert(tmp_path, [weak(), weak(BAD[name])], "--skip")
    assert code == 0, output
    assert "[W540]" in output
    assert len(read_docs(out, NLP)) == 1


def test_skweak_options_are_for_skweak(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("[PER Ana] left.", "utf8")
    args = ["convert", str(tmp_path / "in.txt"), str(tmp_path / "out.spacy"), "--outside"]
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 1
    assert "S538" in result.output


def test_skweak_error_has_its_code(tmp_path: Path) -> None:
    from spacy_seqmix.convert import read_skweak

    write_docs([weak({0: {"B-PER": 2.0}})], tmp_path / "weak.spacy")
    with pytest.raises(SeqMixError) as caught:
        list(read_skweak(tmp_path / "weak.spacy", NLP))
    assert caught.value.code == "S733"
