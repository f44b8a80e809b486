"""The labels of the page: what they may be, and how they grow."""

from __future__ import annotations

import pytest

from spacy_seqmix.annotate.page.labels import check_label, read_labels, split_labels, update_labels
from spacy_seqmix.errors import SeqMixError


def names(path):
    return [label.name for label in read_labels(path)]


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        ("PER,ORG", ["PER", "ORG"]),
        (" PER , ORG ", ["PER", "ORG"]),
        ("P,PE,PER", ["P", "PE", "PER"]),
        ("first name,Größe,人名,اسم,👩‍🚀", ["first name", "Größe", "人名", "اسم", "👩‍🚀"]),
        ("B-PER,a|b,<b>", ["B-PER", "a|b", "<b>"]),
    ],
)
def test_page_labels_may_be_nearly_anything(given, labels, tmp_path):
    assert split_labels(given) == labels
    update_labels(tmp_path / "labels.json", labels, "2026-01-01")
    assert names(tmp_path / "labels.json") == labels


@pytest.mark.parametrize(
    "given", ["", "PER,", ",", "PER,PER", "PER,ORG, PER", "a\tb", "a\nb", "O", "!P"]
)
def test_page_labels_refuse_what_is_none(given):
    with pytest.raises(SeqMixError) as caught:
        split_labels(given)
    assert caught.value.code == "S680"


def test_page_labels_grow_and_never_shrink(tmp_path):
    path = tmp_path / "labels.json"
    update_labels(path, ["PER", "ORG"], "2026-01-01")
    update_labels(path, ["LOC", "ORG", "PER"], "2026-01-02")
    update_labels(path, [], "2026-01-03")
    assert [(one.name, one.since) for one in read_labels(path)] == [
        ("PER", "2026-01-01"),
        ("ORG", "2026-01-01"),
        ("LOC", "2026-01-02"),
    ]
    with pytest.raises(SeqMixError, match="--labels PER,ORG,LOC") as caught:
        update_labels(path, ["PER", "DATE"], "2026-01-04")
    assert caught.value.code == "S681"
    assert names(path) == ["PER", "ORG", "LOC"]


def test_page_labels_have_no_commas(tmp_path):
    with pytest.raises(SeqMixError, match="it has a comma") as caught:
        check_label("A,B")
    assert caught.value.code == "S680"
    path = tmp_path / "labels.json"
    update_labels(path, ["first name", "ORG"], "2026-01-01")
    with pytest.raises(SeqMixError, match=r"labels 'first name' of .* --labels 'first name,ORG'"):
        update_labels(path, ["ORG"], "2026-01-02")


def test_page_labels_are_needed(tmp_path):
    with pytest.raises(SeqMixError) as caught:
        update_labels(tmp_path / "labels.json", [], "2026-01-01")
    assert caught.value.code == "S682"
