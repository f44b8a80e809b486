"""What policies score, and the words that pipelines get from it: they forget them."""

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from spacy_seqmix.active import evidence
from spacy_seqmix.active.evidence import Evidence
from spacy_seqmix.annotation.lazy_docs import lazy_docs
from spacy_seqmix.annotation.vocabulary import temporary_words

from ..query.conftest import PIPES
from ..query.conftest import gold as gold  # fixtures
from ..query.conftest import trained as trained

CASES = [
    *(("tokens", name, ()) for name in PIPES),
    *(("entities", name, ()) for name in ("seqmix_ner", "seqmix_crf", "ner", "beam_ner")),
    *(("paths", name, ()) for name in ("seqmix_ner", "seqmix_crf")),
    *(("committee", name, ()) for name in ("seqmix_crf", "ner", "spancat")),
    *(("committee", name, (3, 4)) for name in ("seqmix_crf", "ner", "spancat")),
]
TEXTS = ["Unheardof{0} Newcomer{0} saw Elsewhere", "Neverbefore{0}", "\n Othernew{0} \n Rome"]


def words_in(nlp: Language) -> tuple[set[str], set[str]]:
    return set(nlp.vocab.strings), {lexeme.text for lexeme in nlp.vocab}


def flat(found):
    """Rows of all docs, of all members."""
    if isinstance(found, list):
        return np.concatenate([flat(one) for one in found])
    return np.ravel(found)


@pytest.mark.parametrize(("needs", "component", "seeds"), CASES)
def test_evidence_leaves_no_words_behind(trained, monkeypatch, needs, component, seeds):
    blank = spacy.blank("xx")
    texts = [text.format(f"{needs}{component}{len(seeds)}") for text in TEXTS]  # new in each case
    docs = list(blank.pipe(texts))
    own = trained("A doc thatstays here")
    how = Evidence(needs, component, "xx", "highest", 0.2, seeds)
    pipelines = [trained] * (2 if needs == "committee" and not seeds else 1)
    how.of(pipelines, docs[-1:])  # what a component reads once
    before = words_in(trained)
    found = flat(how.of(pipelines, docs))
    assert words_in(trained) == before
    assert docs[1].text not in trained.vocab.strings
    np.testing.assert_array_equal(flat(how.of(pipelines, docs)), found)
    # other docs of the vocabulary are what they were
    assert [t.text for t in own] == ["A", "doc", "thatstays", "here"]
    assert own[2].shape_ == "xxxx"
    monkeypatch.setattr(evidence, "temporary_words", lambda nlp: temporary_words(blank))
    np.testing.assert_array_equal(flat(how.of(pipelines, docs)), found)
    assert docs[1].text in trained.vocab.strings


def test_temporary_words_after_an_error():
    nlp = spacy.blank("en")
    with pytest.raises(RuntimeError, match="no power"), temporary_words(nlp):
        nlp("Unheardof words")
        raise RuntimeError("no power")
    assert "Unheardof" not in nlp.vocab.strings
    assert [t.text for t in nlp("Unheardof words")] == ["Unheardof", "words"]


def test_temporary_words_of_the_first_block_with_a_tokenizer_stay():
    nlp = spacy.blank("en")
    with temporary_words(nlp):  # none reads texts here
        nlp("Unheardof")
    for text, stays in (("Newcomer", True), ("Elsewhere", False), ("Anywhere", False)):
        with temporary_words(nlp, tokenises=True):
            nlp(text)
        assert (text in nlp.vocab.strings) == stays
    assert "Unheardof" not in nlp.vocab.strings


@pytest.mark.parametrize(
    ("pipe", "forgets"),
    [("sentencizer", True), ("merge_entities", True), ("keeper", False)],
)
def test_temporary_words_of_components_of_others_stay(pipe, forgets):
    """They may keep docs, or names that they add at the first text."""
    nlp = spacy.blank("en")
    if pipe == "keeper":
        nlp._components.append(("keeper", lambda doc: doc))  # without a name in the registry
    else:
        nlp.add_pipe(pipe)
    with temporary_words(nlp):
        nlp("Unheardof")
    assert ("Unheardof" not in nlp.vocab.strings) == forgets


def test_temporary_words_of_a_tokenizer_of_others_stay():
    nlp = spacy.blank("en")
    nlp.tokenizer = lambda text: Doc(nlp.vocab, words=text.split())
    with temporary_words(nlp):
        nlp("Unheardof")
    assert "Unheardof" in nlp.vocab.strings


def test_temporary_words_in_a_block_of_the_caller():
    nlp = spacy.blank("en")
    with nlp.memory_zone():
        with temporary_words(nlp):
            inner = nlp("Unheardof words")
        with temporary_words(nlp):
            pass
        assert [t.lower_ for t in inner] == ["unheardof", "words"]
    assert "Unheardof" not in nlp.vocab.strings


def test_workers_leave_no_words_behind(tmp_path, trained, monkeypatch):
    trained.to_disk(tmp_path / "model")
    made = []
    blank, load = spacy.blank, spacy.load
    monkeypatch.setattr(evidence.spacy, "blank", lambda lang: made.append(blank(lang)) or made[-1])
    monkeypatch.setattr(evidence.spacy, "load", lambda path: made.append(load(path)) or made[-1])
    how = Evidence("tokens", "seqmix_crf", "xx", "highest")
    compute = evidence._make(how, (evidence.packed_pipeline(tmp_path / "model"),))
    data = DocBin(docs=[blank("xx")(TEXTS[1])]).to_bytes()
    compute([["Rome"], data])
    before = [words_in(nlp) for nlp in made]
    found = compute([[TEXTS[0]], data])
    assert [words_in(nlp) for nlp in made] == before
    docs = list(blank("xx").pipe(TEXTS[:2]))
    np.testing.assert_array_equal(flat(found), flat(how.of([trained], docs)))


def test_checking_docs_keeps_their_names_alone(tmp_path, all_news):
    """Docs that are made later need the strings, not the lexemes."""
    path, nlp = tmp_path / "docs.spacy", spacy.blank("en")
    DocBin(docs=all_news).to_disk(path)
    before = words_in(nlp)
    docs = lazy_docs([path], nlp, check=True)
    strings, lexemes = words_in(nlp)
    assert lexemes == before[1]
    assert {token.text for doc in all_news for token in doc} <= strings
    assert [doc.to_json() for doc in docs.values()] == [doc.to_json() for doc in all_news]


def test_ranking_leaves_no_words_behind(start, all_news):
    changes = {"active.policy.@misc": "spacy-seqmix.NTE.v1", "active.mixing": None}
    run = start({**changes, "active.n_rounds": 1})
    run._round(0)
    run = start({**changes, "active.n_rounds": 1})  # as another process has it
    query, model, every = run._query(1), run._last_model(), {t.text for d in all_news for t in d}
    with temporary_words(run.blank, tokenises=True):
        pass  # the words of the first block stay
    before = words_in(run.blank), words_in(model)
    assert every - before[0][1]
    assert every - before[1][0]
    ranking = query._rank(run.pool.unlabelled, 4)
    assert len(ranking.scores) == 14
    assert (words_in(run.blank), words_in(model)) == before
