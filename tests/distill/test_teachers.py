"""What teachers teach, and which pipelines can."""

import numpy as np
import pytest
import spacy
from thinc.api import Config

from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.distill.student import Student
from spacy_seqmix.distill.targets import Targets, tempered
from spacy_seqmix.distill.teachers import load_teachers
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.query.probabilities import copy_tokens, token_probs

from ..tiny import TINY_CNN
from .conftest import make_teacher


@pytest.fixture
def load(student):
    def make(*paths, component=None, **targets):
        names = [str(path) for path in paths]
        return load_teachers(names, Student.of(student, {}), Targets(**targets), component)

    return make


def rows_of(teachers, docs):
    return [soft_labels.get(doc).probs for doc in teachers.teach(docs, spacy.blank("en"))]


def test_teachers_teach_their_probabilities(load, teacher, all_news):
    nlp = spacy.load(teacher)
    docs = [*all_news[:4], nlp.make_doc("")]
    made = load(teacher).teach(docs, spacy.blank("en"))
    assert [doc.text for doc in made] == [doc.text for doc in docs]
    for doc, probs in zip(made[:4], token_probs(nlp, "seqmix_ner", docs), strict=False):
        soft = soft_labels.get(doc)
        # The columns of the student are sorted, and so are those of the teacher.
        assert soft.labels == nlp.get_pipe("seqmix_ner").tags
        np.testing.assert_allclose(soft.probs, probs, rtol=1e-4, atol=1e-6)
        said = nlp(copy_tokens(doc, nlp))
        assert [(e.text, e.label_) for e in doc.ents] == [(e.text, e.label_) for e in said.ents]
    assert any(doc.ents for doc in made)


def test_teachers_mean_comes_before_the_temperature(load, teacher, other_teacher, all_news):
    docs = all_news[:3]
    first, second = rows_of(load(teacher), docs), rows_of(load(other_teacher), docs)
    both = rows_of(load(teacher, other_teacher), docs)
    warm = rows_of(load(teacher, other_teacher, temperature=3.0), docs)
    for a, b, mean, evened in zip(first, second, both, warm, strict=True):
        assert np.abs(a - b).max() > 0.1
        np.testing.assert_allclose(mean, (a + b) / 2, atol=1e-5)
        np.testing.assert_allclose(evened, tempered(mean, 3.0), atol=1e-5)


def test_teachers_teach_the_names_of_the_student(load, teacher, all_news):
    plain = load(teacher).teach(all_news[:8], spacy.blank("en"))
    teachers = load(teacher, labels={"PER": "PERSON", "ORG": "", "LOC": "PLACE", "MISC": "PLACE"})
    assert teachers.tags == ("O", "B-PERSON", "I-PERSON", "B-PLACE", "I-PLACE")
    for before, doc in zip(plain, teachers.teach(all_news[:8], spacy.blank("en")), strict=True):
        old, new = soft_labels.get(before), soft_labels.get(doc)
        by_tag = dict(zip(old.labels, old.probs.T, strict=True))
        wanted = by_tag["O"] + by_tag["B-ORG"] + by_tag["I-ORG"]
        np.testing.assert_allclose(new.probs[:, 0], wanted, atol=1e-5)
        np.testing.assert_allclose(new.probs[:, 1], by_tag["B-PER"], atol=1e-5)
        np.testing.assert_allclose(new.probs[:, 3], by_tag["B-LOC"] + by_tag["B-MISC"], atol=1e-5)


def test_teachers_hard_labels_have_no_probabilities(load, teacher, all_news):
    soft = load(teacher).teach(all_news, spacy.blank("en"))
    hard = load(teacher, hard=True).teach(all_news, spacy.blank("en"))
    assert not any(soft_labels.is_marked(doc) or doc.user_data for doc in hard)
    for one, other in zip(soft, hard, strict=True):
        assert [(e.text, e.label_) for e in one.ents] == [(e.text, e.label_) for e in other.ents]
        assert other.has_annotation("ENT_IOB")


def test_teachers_component_is_the_one_that_fits(load, tmp_path, all_news):
    nlp = make_teacher(all_news, n_steps=0)
    nlp.rename_pipe("seqmix_ner", "mine")
    nlp.add_pipe("textcat").add_label("x")
    nlp.to_disk(tmp_path / "one")
    assert load(tmp_path / "one").members[0].component == "mine"
    nlp.add_pipe("seqmix_ner", source=make_teacher(all_news, n_steps=0))
    nlp.to_disk(tmp_path / "two")
    assert load(tmp_path / "two").members[0].component == "seqmix_ner"
    assert load(tmp_path / "two", component="mine").members[0].component == "mine"


def test_teachers_without_probabilities_are_refused(load, tmp_path, teacher):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "none")
    with pytest.raises(SeqMixError, match=r"\[S401\] 'seqmix_ner' has no .*another teacher"):
        load(tmp_path / "none")
    with pytest.raises(SeqMixError, match=r"\[S401\] 'x' has no .*--teacher-component"):
        load(teacher, component="x")
    nlp.add_pipe("tagger").add_label("NN")
    nlp.initialize()
    nlp.to_disk(tmp_path / "tagger")
    with pytest.raises(SeqMixError, match=r"\[S741\] .*none of its components can teach.*entities"):
        load(tmp_path / "tagger")
    with pytest.raises(SeqMixError, match=r"\[S741\] .*'tagger' \(tagger\) has other prob"):
        load(tmp_path / "tagger", component="tagger")
    with pytest.raises(OSError, match="E050"):
        load(tmp_path / "nothing")


def test_teachers_with_other_labels_are_refused(load, teacher, one_label):
    with pytest.raises(SeqMixError, match=r"\[S744\].*'LOC'.*one-label' has \['PER'\].*--map"):
        load(teacher, one_label)
    joined = load(teacher, one_label, labels={"LOC": "", "MISC": "", "ORG": ""})
    assert joined.labels == {"PER"}
    with pytest.raises(SeqMixError, match=r"\[S745\] --map GPE=LOC: no teacher has this label"):
        load(teacher, labels={"GPE": "LOC"})


def test_teachers_digest_tells_pipelines_apart(load, teacher, other_teacher, tmp_path):
    spacy.load(teacher).to_disk(tmp_path / "copy")
    digests = [load(path).members[0].digest() for path in (teacher, tmp_path / "copy")]
    assert digests[0] == digests[1] != load(other_teacher).members[0].digest()


def test_teachers_of_tags_teach_tags(student, tmp_path):
    nlp = spacy.blank("en")
    tagger = nlp.add_pipe("tagger", config={"model": {"tok2vec": TINY_CNN}})
    for tag in ("VB", "NN", "NNS"):
        tagger.add_label(tag)
    nlp.initialize()
    nlp.to_disk(tmp_path / "teacher")
    config = Config().from_disk(student)
    config["components"] = {"seqmix_tagger": {"factory": "seqmix_tagger"}}
    config["nlp"]["pipeline"] = ["seqmix_tagger"]
    config.to_disk(student)
    targets = Targets({"NNS": "NN"})
    teachers = load_teachers([str(tmp_path / "teacher")], Student.of(student, {}), targets)
    docs = [nlp.make_doc("Dogs bark.")]
    (made,) = teachers.teach(docs, spacy.blank("en"))
    (rows,) = token_probs(nlp, "tagger", docs)
    soft = soft_labels.get(made)
    assert (soft.labels, soft.layer) == (("NN", "VB"), "tags")
    labels = list(nlp.get_pipe("tagger").labels)
    np.testing.assert_allclose(soft.probs[:, 1], rows[:, labels.index("VB")], rtol=1e-5)
    assert {token.tag_ for token in made} <= {"NN", "VB"}
    with pytest.raises(SeqMixError, match=r"\[S745\] --map VB=: a token has one tag"):
        load_teachers([str(tmp_path / "teacher")], Student.of(student, {}), Targets({"VB": ""}))
