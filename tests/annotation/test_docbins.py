"""Files of docs: whole, or refused with a reason and the number of the doc."""

import io
import zlib

import numpy as np
import pytest
import spacy
import srsly
from spacy.tokens import Doc, DocBin, Span

from spacy_seqmix import SoftLabels
from spacy_seqmix.annotation import docbins, provenance, recipes, relations, soft_labels
from spacy_seqmix.annotation.docbins import (
    open_docbin,
    read_docs,
    read_numbered_docs,
    write_docs,
)


def test_docs_round_trip_without_empty_ones(news, blank_en, tmp_path):
    path = tmp_path / "new" / "docs.spacy"
    write_docs([news[0], Doc(blank_en.vocab), news[1]], path)
    back = read_docs(path, blank_en)
    assert [doc.text for doc in back] == [news[0].text, news[1].text]
    assert [str(doc.ents) for doc in back] == [str(doc.ents) for doc in news[:2]]
    assert [file.name for file in path.parent.iterdir()] == ["docs.spacy"]


def test_read_docs_says_what_is_wrong(news, blank_en, tmp_path):
    with pytest.raises(ValueError, match=r"S403.*no such file"):
        read_docs(tmp_path / "none.spacy", blank_en)
    (tmp_path / "text.spacy").write_text("not a DocBin")
    (tmp_path / "zero.spacy").write_bytes(b"")
    whole = DocBin(docs=news).to_bytes()
    (tmp_path / "half.spacy").write_bytes(whole[: len(whole) // 2])
    for name in ("text", "zero", "half"):
        with pytest.raises(ValueError, match=r"S403.*not a DocBin"):
            read_docs(tmp_path / f"{name}.spacy", blank_en)
    with pytest.raises(ValueError, match="S403"):
        read_docs(tmp_path, blank_en)
    DocBin(docs=[Doc(blank_en.vocab)]).to_disk(tmp_path / "empty.spacy")
    with pytest.raises(ValueError, match=r"S403.*holds no docs"):
        read_docs(tmp_path / "empty.spacy", blank_en)
    DocBin(docs=[blank_en.make_doc("no names")]).to_disk(tmp_path / "bare.spacy")
    with pytest.raises(ValueError, match="S405"):
        read_docs(tmp_path / "bare.spacy", blank_en)
    assert len(read_docs(tmp_path / "bare.spacy", blank_en, need_entities=False)) == 1


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_read_docs_shows_a_bar(news, blank_en, tmp_path, monkeypatch):
    write_docs(news, tmp_path / "docs.spacy")
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    read_docs(tmp_path / "docs.spacy", blank_en, progress=True)
    assert "Reading docs.spacy" in stream.getvalue()


@pytest.fixture
def docs(blank_en):
    """Three docs with all that this package stores on them."""
    out = []
    for _ in range(3):
        doc = Doc(blank_en.vocab, words=["Ann", "saw", "Rome"], ents=["B-PER", "O", "B-LOC"])
        rows = np.array([[0.25, 0.75, 0], [1, 0, 0], [0.25, 0.75, 0]], dtype="float32")
        soft = SoftLabels(("O", "B-X", "I-X"), rows)
        soft_labels.put(doc, soft)
        soft_labels.put_token_probs(doc, soft)
        recipes.put(doc, recipes.Recipe((0,), ("Ann",), ("Bo",), (0.5,)))
        pairs, names = (((0, 1), (2, 3)),), ("no_relation", "saw")
        labels = relations.RelationLabels(pairs, names, np.array([[0.25, 0.75]], dtype="float32"))
        relations.put_labels(doc, labels)
        relations.put_probs(doc, labels)
        part = provenance.Part(0, 1, 0, 1, "b", 0, 1, 0.5, ("Ann",))
        provenance.set_origin(doc, provenance.Origin("a", (part,)))
        out.append(doc)
    return out


NAN = np.full((3, 3), np.nan, dtype="float32")
# Where, what to put there, and the code.
DAMAGE = [
    ((soft_labels.KEY, "probs"), NAN, "S103"),
    ((soft_labels.KEY, "labels"), "abc", "S103"),
    ((soft_labels.KEY,), [1, 2], "S103"),
    ((soft_labels.PROBS_KEY, "probs"), -NAN[:2], "S102"),
    ((soft_labels.PROBS_KEY, "probs"), np.ones((3, 3), dtype="float32"), "S103"),
    ((relations.KEY,), 5, "S251"),
    ((relations.KEY, "relations"), [[0, 1, 2, 3, "saw", float("nan")]], "S251"),
    ((relations.KEY, "relations"), [[0, 1, 2, 9, "saw", 1.0]], "S251"),
    ((relations.KEY, "relations"), [[0, 1]], "S251"),
    ((relations.KEY, "tokens"), 4, "S250"),
    ((relations.SOFT_KEY, "probs"), np.full((1, 2), np.inf, dtype="float32"), "S252"),
    ((relations.SOFT_KEY, "pairs"), [[0, 1]], "S251"),
    ((relations.SOFT_KEY, "labels"), [1, 2], "S252"),
    ((relations.PROBS_KEY, "probs"), np.full((1, 2), 3.0, dtype="float32"), "S252"),
    ((recipes.KEY, "weights"), [float("nan")], "S241"),
    ((recipes.KEY, "tokens"), ["x"], "S241"),
    ((recipes.KEY, "partners"), [5], "S241"),
    ((recipes.KEY,), "text", "S241"),
    ((provenance.KEY, "parts"), [], "S264"),
    ((provenance.KEY, "parts"), [5], "S264"),
    ((provenance.KEY,), "text", "S264"),
]


@pytest.mark.parametrize("number", range(len(DAMAGE)))
def test_docs_whose_stored_annotation_is_damaged_are_named(docs, blank_en, tmp_path, number):
    (*places, last), value, code = DAMAGE[number]
    data = docs[1].user_data
    for place in places:
        data[place] = {**data[place]}
        data = data[place]
    data[last] = value
    write_docs(docs, tmp_path / "bad.spacy")
    with pytest.raises(ValueError, match=rf"S582\] Doc 1 of '.*bad\.spacy'.*\[{code}\]") as caught:
        read_docs(tmp_path / "bad.spacy", blank_en)
    assert caught.value.code == "S582"


def test_docs_that_are_whole_are_read_with_all_they_store(docs, blank_en, tmp_path):
    write_docs(docs, tmp_path / "good.spacy")
    numbered = read_numbered_docs(tmp_path / "good.spacy", spacy.blank("en"))
    assert list(numbered) == [0, 1, 2]
    for doc in numbered.values():
        assert soft_labels.get(doc) is not None
        assert relations.get_labels(doc) is not None
        assert recipes.get(doc) is not None
        assert provenance.get_origin(doc) is not None


def changed(docs, path, change):
    """Write docs, with a change to what the file consists of."""
    docbin = DocBin(docs=docs, store_user_data=True)
    content = srsly.msgpack_loads(zlib.decompress(docbin.to_bytes()))
    change(content)
    path.write_bytes(zlib.compress(srsly.msgpack_dumps(content)))
    return path


@pytest.mark.parametrize("name", ["PER", "Rome"])
def test_docs_with_unknown_names_are_refused(docs, tmp_path, name):
    def drop(content):
        content["strings"] = [one for one in content["strings"] if one != name]

    path = changed(docs, tmp_path / "bad.spacy", drop)
    with pytest.raises(ValueError, match=r"S582\] Doc 0 of .*(S583|KeyError)"):
        read_docs(path, spacy.blank("en"))


def test_docs_with_unknown_labels_of_spans_are_refused(blank_en, tmp_path):
    doc = Doc(blank_en.vocab, words=["a"])
    doc.spans["sc"] = [Span(doc, 0, 1, label="A-RARE-LABEL")]

    def drop(content):
        content["strings"] = [one for one in content["strings"] if one != "A-RARE-LABEL"]
        content["span_groups"] = [
            group.replace(b"A-RARE-LABEL", b"ANOTHER-NAME") for group in content["span_groups"]
        ]

    path = changed([doc], tmp_path / "bad.spacy", drop)
    with pytest.raises(ValueError, match=r"S582\] Doc 0"):
        read_docs(path, spacy.blank("en"), need_entities=False)


def test_docs_with_damaged_user_data_are_refused(docs, blank_en, tmp_path):
    def damage(content):
        content["user_data"][1] = b"\xc1"

    path = changed(docs, tmp_path / "bad.spacy", damage)
    with pytest.raises(ValueError, match=r"S582\] Doc 1 of .*stored form is damaged"):
        read_docs(path, blank_en)


def test_docs_whose_size_explodes_are_refused(docs, blank_en, tmp_path, monkeypatch):
    path = tmp_path / "bomb.spacy"
    path.write_bytes(zlib.compress(bytes(300 * 2**20)))
    assert path.stat().st_size < 2**19
    with pytest.raises(ValueError, match=r"S403.*more than 100 times as large as the file"):
        open_docbin(path)
    monkeypatch.setattr(docbins, "ALWAYS_ALLOWED", 0)
    write_docs(docs, tmp_path / "good.spacy")
    assert len(read_docs(tmp_path / "good.spacy", blank_en)) == 3


def test_docs_that_were_corrected_are_counted(docs, blank_en, tmp_path):
    docs[2].set_ents([])
    write_docs(docs, tmp_path / "mine.spacy")
    with pytest.warns(UserWarning, match=r"W580.*1 of the 3 docs of '.*mine\.spacy'"):
        back = read_docs(tmp_path / "mine.spacy", blank_en)
    assert [soft_labels.get(doc) is None for doc in back] == [False, False, True]


def test_docs_with_and_without_user_data_are_written_as_spacy_writes_them(news, tmp_path):
    docs = [doc.copy() for doc in news[:3]]
    docs[1].user_data["note"] = np.arange(3)
    path = tmp_path / "docs.spacy"
    write_docs(docs, path)
    assert path.read_bytes() == DocBin(docs=docs, store_user_data=True).to_bytes()
    ours, theirs = (
        list(one.get_docs(docs[0].vocab)) for one in (open_docbin(path), DocBin().from_disk(path))
    )
    assert [sorted(doc.user_data) for doc in ours] == [[], ["note"], []]
    assert [doc.to_json() for doc in ours] == [doc.to_json() for doc in theirs]
    assert ours[1].user_data["note"].tolist() == [0, 1, 2]
