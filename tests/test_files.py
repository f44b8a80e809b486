"""Files of docs: whole, or refused with a reason."""

import io
from threading import Event

import pytest
from spacy.tokens import Doc, DocBin

from spacy_seqmix.files import progress_bar, read_docs, write_docs


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


@pytest.mark.parametrize("total", [None, 2])
@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_progress_bar_is_for_terminals(monkeypatch, total, kind):
    stream = kind()
    monkeypatch.setattr("sys.stderr", stream)
    with progress_bar(total, "Reading") as bar:
        bar.update()
    with progress_bar(total, "Hidden", shown=False):
        pass
    assert ("Reading" in stream.getvalue()) == (kind is Terminal)
    assert "Hidden" not in stream.getvalue()


def test_progress_bar_ticks_during_a_long_step(monkeypatch):
    monkeypatch.setattr("sys.stderr", Terminal())
    ticked = Event()
    with progress_bar(None, "Loading") as bar:
        monkeypatch.setattr(bar, "refresh", ticked.set)
        assert ticked.wait(30)


def test_read_docs_shows_a_bar(news, blank_en, tmp_path, monkeypatch):
    write_docs(news, tmp_path / "docs.spacy")
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    read_docs(tmp_path / "docs.spacy", blank_en, progress=True)
    assert "Reading docs.spacy" in stream.getvalue()
