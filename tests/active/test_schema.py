"""The [active] section."""

import math

import pytest
from thinc.api import Config

from spacy_seqmix.active.config import read_active_section
from spacy_seqmix.active.schema import ActiveSchema, CommitteeSchema
from spacy_seqmix.errors import SeqMixError

LEAST = {
    "pool": "p.spacy",
    "dev": "d.spacy",
    "n_seed": 10,
    "n_query": 5,
    "n_rounds": 2,
    "policy": {"@misc": "spacy-seqmix.NTE.v1"},
    "oracle": {"@misc": "spacy-seqmix.GoldOracle.v1"},
}


def read(**values):
    return read_active_section(Config({"active": {**LEAST, **values}}))


def test_schema_defaults_are_the_papers():
    active = read()
    assert (active.start, active.mix_set, active.select_model) == ("cold", "round", "last")
    assert (active.epochs, active.max_steps, active.mixing) == (10.0, None, [])
    assert active.steps_of(1) is None


def test_schema_every_field_is_explained():
    for schema in (ActiveSchema, CommitteeSchema):
        assert all(field.description for field in schema.model_fields.values())


def test_schema_committee_has_defaults():
    assert read().committee == CommitteeSchema(members=3, kind="seeds", dropout=0.1)
    assert read(committee={"members": 2}).committee.members == 2


def test_schema_steps_by_round():
    assert read(max_steps=7).steps_of(2) == 7
    assert [read(max_steps=[4, 5, 6]).steps_of(i) for i in range(3)] == [4, 5, 6]


def test_schema_second_epochs_by_round():
    assert [read().second_epochs_of(i) for i in range(3)] == [0, 0, 0]
    assert [read(second_epochs=2).second_epochs_of(i) for i in range(3)] == [2, 2, 2]
    assert [read(second_epochs=[2, 0.5]).second_epochs_of(i) for i in range(3)] == [2, 0.5, 0.5]
    # a round that trains once needs no steps for two
    assert read(second_epochs=[1, 0], max_steps=[4, 2, 2]).second_epochs_of(1) == 0


def test_schema_queries_by_round():
    assert [read(n_query=[3, 4]).n_new(i) for i in range(3)] == [10, 3, 4]
    assert [read().n_new(i) for i in range(3)] == [10, 5, 5]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"n_sed": 3}, "n_sed"),
        ({"n_seed": 0}, "n_seed"),
        ({"pool": None}, "pool"),
        ({"start": "hot"}, "start"),
        ({"epochs": 0}, "epochs"),
        ({"epochs": math.inf}, "epochs: .* less than or equal to 100000"),
        ({"epochs": math.nan}, "epochs"),
        ({"n_rounds": 2**31}, "n_rounds: .* less than or equal to 10000"),
        ({"seed": 2**32}, "seed"),
        ({"max_steps": 10**12}, "max_steps"),
        ({"committee": {"members": 10**9}}, r"committee\.members"),
        ({"seed": -1}, "seed"),
        ({"max_steps": 1}, "max_steps"),
        ({"max_steps": [4, 1, 4]}, "max_steps"),
        ({"max_steps": [3, 4, 4], "mix_set": "pool"}, "max_steps: at least 4 in the seed round"),
        ({"second_epochs": -1}, "second_epochs"),
        ({"second_epochs": math.inf}, "second_epochs"),
        ({"second_epochs": []}, "second_epochs"),
        ({"second_epochs": [1, -1]}, "second_epochs"),
        ({"second_epochs": 1, "max_steps": 3}, "max_steps: at least 4 in rounds that train twice"),
        ({"second_epochs": [0, 1], "max_steps": 3}, "max_steps: at least 4 in rounds"),
        ({"second_epochs": [0, 1], "max_steps": [2, 2, 3]}, "max_steps: at least 4 in rounds"),
        ({"max_steps": [4, 4]}, "max_steps: 3 numbers"),
        ({"max_steps": []}, "max_steps"),
        ({"committee": {"members": 1}}, r"committee\.members"),
        ({"committee": {"kind": "both"}}, r"committee\.kind"),
        ({"committee": {"dropout": 1.0}}, r"committee\.dropout"),
        ({"committee": {"rate": 0.5}}, r"committee\.rate"),
        ({"n_query": [3]}, "n_query: 2 numbers"),
        ({"unlabelled_size": 0}, "unlabelled_size"),
        ({"unlabelled_size": 5}, r"unlabelled_size: .* set active\.unlabelled"),
        ({"n_query": [3, 0]}, "n_query"),
        ({"n_query": "many", "n_rounds": -1}, "n_query.*n_rounds"),
    ],
)
def test_schema_names_the_field_that_is_wrong(values, named):
    with pytest.raises(ValueError, match=rf"S402.*{named}"):
        read(**values)


def test_schema_needs_the_section():
    with pytest.raises(ValueError, match="S402"):
        read_active_section(Config({}))


def test_schema_names_what_is_not_given():
    with pytest.raises(ValueError, match=r"S402.*pool is not given: set active\.pool"):
        read(pool=None)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"policy": {"@misc": "spacy-seqmix.GoldOracle.v1"}}, "policy: .* instance of QueryPolicy"),
        ({"oracle": {"@misc": "spacy-seqmix.SubSequence.v1"}, "policy": {}}, "policy"),
        ({"oracle": {"a": 1}}, r"active\.oracle has no registered function: write a section"),
        ({"mixing": {"strategy": 1, "realiser": 2}}, r"mixing\.strategy can't be 1: .*realiser"),
        ({"mixing": {"strategy": 1, "realiser": 2}}, r"section \[active\.mixing\.strategy\]"),
        ({"mixing": {"a": {"discriminator": "gpt2"}}}, r"active\.mixing\.a\.discriminator"),
        ({"mixing": "SubSequence"}, "mixing: a section is wanted"),
        ({"mixing": True}, "mixing: a section is wanted"),
        ({"policy": "NTE"}, r"section \[active\.policy\] with the line @misc"),
        ({"policy": {"@misc": 5}}, r"policy\.@misc = 5: there is no such function"),
    ],
)
def test_schema_checks_what_the_functions_are(values, named):
    with pytest.raises(SeqMixError, match=named) as caught:
        read(**values)
    assert caught.value.code == "S402"


def test_schema_builds_the_functions():
    active = read()
    assert active.policy.needs == "tokens"
    assert active.oracle.needs_gold


@pytest.mark.parametrize("name", ["spacy-seqmix.NTE.v2", "NTE"])
def test_schema_of_an_unknown_function_lists_ours(name):
    with pytest.raises(SeqMixError, match=r"policy\.@misc = .*there is no such function") as caught:
        read(policy={"@misc": name})
    assert caught.value.code == "S402"
    assert "spacy-seqmix.MNLP.v1" in str(caught.value)
    assert "spacy.CharEmbed" not in str(caught.value)
    assert ("did you mean spacy-seqmix.NTE.v1" in str(caught.value)) == name.endswith("v2")
