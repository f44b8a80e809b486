"""The config of a student."""

import pytest
from thinc.api import Config

from spacy_seqmix.distill.student import Student
from spacy_seqmix.errors import SeqMixError


@pytest.fixture
def with_components(student):
    def make(**factories):
        config = Config().from_disk(student)
        config["components"] = {name: {"factory": one} for name, one in factories.items()}
        config["nlp"]["pipeline"] = list(factories)
        config.to_disk(student)
        return student

    return make


def test_student_component_is_the_only_one_that_learns_probabilities(with_components):
    path = with_components(tok2vec="tok2vec", ner="ner", mine="seqmix_ner")
    assert Student.of(path, {}).component == "mine"
    assert Student.of(path, {}, hard=True).component == "mine"
    assert Student.of(path, {}, "ner", hard=True).component == "ner"
    assert Student.of(with_components(tagger="seqmix_tagger"), {}).layer == "tags"
    assert Student.of(with_components(ner="ner"), {}, hard=True).component == "ner"


@pytest.mark.parametrize(
    ("factories", "component", "reason"),
    [
        ({"ner": "ner"}, None, r"none of the components \['ner'\]"),
        ({"ner": "ner", "a": "seqmix_ner"}, "ner", r"'ner' \(ner\) can't learn"),
        ({"a": "seqmix_ner", "b": "seqmix_tagger"}, None, "a and b can learn"),
        ({"a": "seqmix_ner"}, "b", r"there is no component 'b' among \['a'\]"),
        ({"a": "seqmix_relations"}, "a", "'a' .* can't learn"),
    ],
)
def test_student_without_a_component_that_learns_is_refused(
    with_components, factories, component, reason
):
    with pytest.raises(SeqMixError, match=rf"\[S740\] '.*student.cfg': {reason}"):
        Student.of(with_components(**factories), {}, component)


def test_student_trains_for_the_steps_or_passes_of_its_config(student, all_news):
    batches = 8  # of four of the thirty docs
    for limits, wanted in (
        ({"max_steps": 7}, 7),
        ({"max_steps": 1}, 2),
        ({"max_steps": 0, "max_epochs": 2}, 2 * batches),
        ({"max_steps": 9, "max_epochs": 1}, batches),
        ({"max_steps": 3, "max_epochs": 1}, 3),
    ):
        values = {f"training.{name}": value for name, value in limits.items()}
        assert Student.of(student, values).steps(all_news) == wanted
    with pytest.raises(SeqMixError, match=r"\[S408\].*--training.max_steps 2000"):
        Student.of(student, {"training.max_steps": 0})


def test_student_knows_the_labels_of_its_config(student, tmp_path):
    assert Student.of(student, {}).given_labels is None
    (tmp_path / "labels.json").write_text('["PER", "LOC"]', "utf8")
    config = Config().from_disk(student)
    section = {"labels": ["ORG"]}
    config["initialize"]["components"] = {"seqmix_ner": section}
    config.to_disk(student)
    assert Student.of(student, {}).given_labels == {"ORG"}
    path = str(tmp_path / "labels.json")
    section["labels"] = {"@readers": "spacy.read_labels.v1", "path": path}
    config.to_disk(student)
    assert Student.of(student, {}).given_labels == {"PER", "LOC"}


def test_student_reads_texts_with_its_own_tokenizer(student):
    config = Config().from_disk(student)
    config["nlp"]["lang"] = "xx"
    config["nlp"]["tokenizer"] = {"@tokenizers": "spacy.Tokenizer.v1"}
    config.to_disk(student)
    assert Student.of(student, {}).blank().lang == "xx"
