"""Which runs a [sweep] section asks for."""

import json

import pytest

from spacy_seqmix.active.config import read_active_config
from spacy_seqmix.config import choose, load_config
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.sweep import plan
from spacy_seqmix.sweep.plan import folder_name, read_sweep
from spacy_seqmix.sweep.values import short_names, text_of

EXTENDS = "extends"
ONE = "[sweep]\nseeds = [0]\ncontrols = true\n"
POLICIES = """
[sweep]
seeds = [0]
controls = true

[sweep.grid]
active.policy = [{"@misc": "spacy-seqmix.NTE.v1"}, {"@misc": "spacy-seqmix.RandomPolicy.v1"}]
active.mixing.rate = [0.2, 0.5]
"""


def mixing_of(arm):
    return arm.config.copy().interpolate()["active"]["mixing"]


def test_plan_crosses_arms_and_grid(planned):
    sweep = planned()
    assert [arm.name for arm in sweep.arms] == [
        "sub, rate=0.5",
        "sub, rate=1.0",
        "constrained, rate=0.5",
        "constrained, rate=1.0",
    ]
    assert [mixing_of(arm)["rate"] for arm in sweep.arms] == [0.5, 1.0, 0.5, 1.0]
    strategies = [mixing_of(arm)["strategy"] for arm in sweep.arms]
    assert strategies[0]["@misc"] == "spacy-seqmix.SubSequence.v1"
    # a value in braces takes the place of the whole section
    assert strategies[2] == {
        "@misc": "spacy-seqmix.LabelConstrained.v1",
        "window": 2,
        "density": 0.2,
    }
    assert sweep.settings.seeds == [0, 1]
    assert sweep.arms[0].rounds == 3
    assert sweep.arms[0].with_seed(3)["active"]["seed"] == 3
    assert not any(arm.control for arm in sweep.arms)


def test_plan_takes_chosen_arms_and_those_whose_steps_they_take(planned):
    overrides = {"sweep.controls": True, "active.max_steps": None}
    names = [arm.name for arm in planned(overrides, names=["none at * sub, rate=1.0"]).arms]
    assert names == ["sub, rate=1.0", "none at the steps of sub, rate=1.0"]
    names = [arm.name for arm in planned(overrides, names=["sub*", "none"]).arms]
    assert names == ["sub, rate=0.5", "sub, rate=1.0", "none"]
    with pytest.raises(ValueError, match=r"S523.*'mmix'.*sub, rate=0.5"):
        planned(names=["mmix"])
    assert choose(["rate=[0.1, 0.2]", "rate=1"], ["rate=[*"]) == ["rate=[0.1, 0.2]"]


def test_plan_adds_the_controls_that_are_asked_for(planned):
    overrides = {"sweep.controls": ["steps"], "active.max_steps": None}
    # arms of equal rates take equal steps: one control serves both strategies
    assert [arm.name for arm in planned(overrides).arms if arm.control] == [
        "none at the steps of sub, rate=0.5",
        "none at the steps of sub, rate=1.0",
    ]
    overrides = {"sweep.controls": ["duplication", "none"]}
    names = [arm.name for arm in planned(overrides).arms if arm.control]
    assert names == ["none", "duplication", "duplication (sub, rate=1.0)"]
    with pytest.raises(ValueError, match=r"S602.*controls"):
        planned({"sweep.controls": ["both"]})


def test_plan_adds_controls_once_whatever_arms_mix(planned):
    section = """
[sweep]
seeds = [0]
controls = true

[sweep.arms.sub]

[sweep.arms.self]
active.mix_set = "pool"
active.unlabelled = "more.spacy"
"""
    section = section.replace("[sweep.arms.sub]", "[sweep.arms]\n\n[sweep.arms.sub]")
    arms = planned({"active.max_steps": None}, section).arms
    names = [arm.name for arm in arms if arm.control]
    assert names == [
        "none",
        "none at the steps of sub",
        "replacement",
        "duplication",
        "none at the steps of self",
    ]


def test_plan_controls_are_about_labelled_docs(planned):
    pool = {"sweep.controls": True, "active.mix_set": "pool"}
    assert [arm.name for arm in planned(pool).arms if arm.control] == ["none"]
    arms = planned({**pool, "active.max_steps": None}).arms
    controls = {arm.name: arm for arm in arms if arm.control}
    assert controls["none at the steps of sub, rate=0.5"].steps_of == "sub, rate=0.5"
    assert {arm.with_seed(0)["active"]["mix_set"] for arm in controls.values()} == {"round"}
    assert "none at the steps of sub, rate=1.0" in controls
    # copies of docs without labels would be no control, but self-training
    assert all(name.startswith("none") for name in controls)


def test_plan_reads_a_config_that_is_laid_over_another(planned, config_path):
    small = config_path.with_name("small.cfg")
    small.write_text(
        f"""
[sweep]
seeds = [5]

[active]
extends = "{config_path.name}"
n_seed = 3
"""
    )
    assert load_config(small, {})["active"]["n_seed"] == 3  # `active` reads it too
    sweep = read_sweep(small, {"sweep.controls": True})
    assert sweep.settings.seeds == [5]
    assert sweep.settings.controls
    assert sweep.arms[0].name == "sub, rate=0.5"
    assert sweep.arms[0].with_seed(5)["active"]["n_seed"] == 3
    assert sweep.arms[0].rounds == 3
    small.write_text('[active]\nextends = "small.cfg"\n')
    with pytest.raises(ValueError, match=r"S410.*small.cfg.*leads back to"):
        read_sweep(small, {})


def test_plan_takes_overrides(planned):
    sweep = planned({"active.n_rounds": 0, "sweep.seeds": [7], "sweep.grid": {}})
    assert [arm.name for arm in sweep.arms] == ["sub", "constrained"]
    assert {arm.rounds for arm in sweep.arms} == {1}
    assert sweep.settings.seeds == [7]


def test_plan_adds_controls_at_equal_steps(planned):
    arms = planned(section=ONE).arms
    assert [(arm.name, arm.control) for arm in arms] == [
        ("config", False),
        ("none", True),
        ("replacement", True),
        ("duplication", True),
    ]
    assert mixing_of(arms[1]) is None
    assert [mixing_of(arm)["rate"] for arm in arms if mixing_of(arm)] == [0.5, 0.5, 0.5]


def test_plan_adds_a_control_with_the_steps_of_each_arm(planned):
    arms = planned({"active.max_steps": None}, POLICIES).arms
    mixing = ["policy=NTE, rate=0.2", "policy=NTE, rate=0.5"]
    mixing += ["policy=RandomPolicy, rate=0.2", "policy=RandomPolicy, rate=0.5"]
    names = [arm.name for arm in arms]
    assert names[:4] == mixing
    assert {arm.name: arm.steps_of for arm in arms if arm.steps_of} == {
        f"none at the steps of {name}": name for name in mixing
    }
    # without mixing, arms that differ in its rate are one
    assert [name for name in names if name.startswith(("none (", "none"))][:1] == ["none"]
    assert sum(mixing_of(arm) is None and not arm.steps_of for arm in arms) == 2
    assert sum(name.startswith("replacement") for name in names) == 4
    assert sum(name.startswith("duplication") for name in names) == 4
    assert len({arm.folder for arm in arms}) == len(arms)


def test_plan_has_no_control_twice(planned):
    section = ONE + '\n[sweep.grid]\nactive.mixing = [null, {"rate": 0.5, "strategy": '
    section += '{"@misc": "spacy-seqmix.MentionReplacement.v1"}, "realiser": '
    section += '{"@misc": "spacy-seqmix.Interpolated.v1"}}]\n'
    arms = planned(section=section).arms
    assert [mixing_of(arm) and mixing_of(arm)["strategy"]["@misc"] for arm in arms] == [
        None,
        "spacy-seqmix.MentionReplacement.v1",
        "spacy-seqmix.Duplication.v1",
    ]


@pytest.mark.parametrize(
    ("pipe", "layer", "wanted"),
    [
        ({"factory": "tagger"}, "tags", ["none", "duplication"]),
        ({"factory": "spancat"}, "spans:sc", ["none", "replacement", "duplication"]),
    ],
)
@pytest.mark.filterwarnings("ignore:.W223")
def test_plan_has_controls_of_the_arms_layer(planned, pipe, layer, wanted):
    layers = {"active.mixing.strategy.layer": layer, "active.component": "seqmix_ner"}
    replaced = json.dumps({"components.seqmix_ner": pipe, **layers}).replace("{}", "null")
    arms = planned(section=f"{ONE}\n[sweep.arms]\nmix = {replaced}\n").arms
    assert [arm.name for arm in arms] == ["mix", *wanted]
    assert {mixing_of(arm)["strategy"]["layer"] for arm in arms if mixing_of(arm)} == {layer}


@pytest.mark.parametrize(
    ("section", "code", "names"),
    [
        ("", "S602", "the section itself is missing"),
        ("[sweep]\n", "S602", "seeds"),
        ("[sweep]\nseeds = [0, 0]\n", "S602", "only once"),
        ("[sweep]\nseeds = [-1]\n", "S602", "seeds"),
        ("[sweep]\nseeds = [0]\nsteps = 3\n", "S602", "steps"),
        ("[sweep]\nseeds = [0]\n[sweep.grid]\nactive.mixing.rate = []\n", "S602", "rate"),
        ("[sweep]\nseeds = [0]\n[sweep.grid]\nactive.seed = [0, 1]\n", "S602", "sweep.seeds"),
        (
            "[sweep]\nseeds = [0]\n[sweep.arms]\na = {'active.extends': 1}\n".replace("'", '"'),
            "S602",
            "share",
        ),
        ("[sweep]\nseeds = [0]\n[sweep.grid]\nactive.mixng.rate = [0.1]\n", "S603", "active.mixng"),
        ("[sweep]\nseeds = [0]\n[sweep.grid]\nrate = [0.1]\n", "S603", "rate"),
        ("[sweep]\nseeds = [0]\n[sweep.grid]\nactive.mixing.rate = [1, 1]\n", "S604", "rate=1"),
        ("[sweep]\nseeds = [0]\n[sweep.grid]\nactive.n_seed = [0]\n", "S605", "n_seed"),
        ("[sweep]\nseeds = [0]\n[sweep.grid]\nactive.mixing.rate = [-1]\n", "S605", "rate=-1"),
    ],
)
def test_plan_refuses(planned, section, code, names):
    with pytest.raises(ValueError, match=rf"\[{code}\].*{names}"):
        planned(section=section)


def test_plan_warns_of_arms_that_can_not_be_compared(planned):
    section = "[sweep]\nseeds = [0]\n[sweep.grid]\nactive.n_seed = [5, 6]\n"
    with pytest.warns(UserWarning, match=r"W602.*n_seed=5.*n_seed=6.* active\.n_seed\."):
        planned(section=section)


def test_names_are_short_and_clear():
    names = ["active.mixing.rate", "active.policy.@misc", "a.rate", "active.mixing.strategy.alpha"]
    assert list(short_names(names).values()) == ["mixing.rate", "policy", "a.rate", "alpha"]
    assert text_of({"@misc": "spacy-seqmix.Mention.v1", "segments": 0}) == "Mention segments=0"
    assert text_of("spacy-seqmix.NTE.v1") == "NTE"
    assert [text_of(value) for value in (None, [1, 2], "warm", 0.5)] == [
        "null",
        "[1, 2]",
        "warm",
        "0.5",
    ]
    assert folder_name("sub, rate=0.5") == "sub_rate=0.5"
    assert folder_name("../..") == "_"
    long = [folder_name("ü" * 150 + end) for end in "ab"]  # 301 bytes
    assert long[0] != long[1]
    assert all(len(name.encode()) <= 200 for name in long)


def test_plan_resolves_each_arm_once(planned, monkeypatch):
    calls = []

    def count(config):
        calls.append(config)
        return read_active_config(config)

    monkeypatch.setattr(plan, "read_active_config", count)
    sweep = planned({"sweep.controls": True, "active.max_steps": None})
    assert [arm.mixes for arm in sweep.arms].count(True) == 8
    assert {arm.rounds for arm in sweep.arms} == {3}
    assert len(calls) == len(sweep.arms) == 11


OVERLAY = """
[paths]
dev = null
pool = "elsewhere.spacy"

[nlp]
pipeline = ["tok2vec","tagger"]

[components]

[components.tok2vec]
factory = "tok2vec"

[components.tok2vec.model]
@architectures = "spacy.HashEmbedCNN.v2"
pretrained_vectors = null
width = 16
depth = 1
embed_size = 50
window_size = 1
maxout_pieces = 2
subword_features = true

[components.tagger]
factory = "tagger"

[components.tagger.model]
@architectures = "spacy.Tagger.v2"
nO = null

[components.tagger.model.tok2vec]
@architectures = "spacy.Tok2VecListener.v1"
width = ${components.tok2vec.model.width}

[training]
dropout = 0.3

[training.score_weights]
tag_acc = 1.0
"""
WITH_OVERLAYS = """
[sweep]
seeds = [0]
controls = true

[sweep.arms]

[sweep.arms.sub]

[sweep.arms.tags]
overlay = "overlays/tagger.cfg"
active.component = "tagger"
active.mixing.strategy.layer = "tags"
components.tok2vec.model.width = 24
"""


@pytest.fixture
def overlay(config_path):
    (config_path.parent / "overlays").mkdir()
    (config_path.parent / "overlays" / "tagger.cfg").write_text(OVERLAY)


@pytest.mark.filterwarnings("ignore:.W602", "ignore:.W223")
def test_plan_lays_an_overlay_over_an_arm(planned, overlay):
    arms = {arm.name: arm for arm in planned({"training.dropout": 0.2}, WITH_OVERLAYS).arms}
    config, plain = arms["tags"].config, arms["sub"].config
    assert list(config["components"]) == ["tok2vec", "tagger"]
    assert list(plain["components"]) == plain["nlp"]["pipeline"] != config["nlp"]["pipeline"]
    assert config["training"]["score_weights"] == {"tag_acc": 1.0}
    # the arm's own values win over the overlay, and so do overrides
    assert config["components"]["tok2vec"]["model"]["width"] == 24
    assert config["training"]["dropout"] == 0.2
    assert config["paths"]["pool"] == "elsewhere.spacy"
    assert config["paths"]["dev"] == plain["paths"]["dev"] is not None  # open in the overlay
    # each pipeline has controls of its own
    names = [arm.name for arm in arms.values() if arm.control]
    assert names == ["none", "replacement", "duplication", "none (tags)", "duplication (tags)"]
    assert arms["none (tags)"].config["nlp"] == config["nlp"]
    assert arms["none"].config["nlp"] == plain["nlp"]


@pytest.mark.filterwarnings("ignore:.W602", "ignore:.W223")
def test_plan_takes_overlays_relative_to_the_file_that_names_them(planned, config_path, overlay):
    planned(section=WITH_OVERLAYS)
    (config_path.parent / "sub").mkdir()
    over = config_path.parent / "sub" / "over.cfg"
    over.write_text(f'[sweep]\nseeds = [1]\n[active]\n{EXTENDS} = "../{config_path.name}"\n')
    assert "tags" in [arm.name for arm in read_sweep(over, {}).arms]


@pytest.mark.parametrize(
    ("lines", "code", "names"),
    [
        ('[sweep.arms]\n[sweep.arms.a]\noverlay = "no.cfg"\n', "S410", r"no\.cfg"),
        ("[sweep.arms]\n[sweep.arms.a]\noverlay = 3\n", "S602", r"arms\.a\.overlay"),
        ('[sweep.grid]\noverlay = ["no.cfg"]\n', "S602", r"grid\.overlay"),
    ],
)
def test_plan_refuses_overlays(planned, lines, code, names):
    with pytest.raises(SeqMixError, match=names) as caught:
        planned(section=f"[sweep]\nseeds = [0]\n{lines}")
    assert caught.value.code == code
