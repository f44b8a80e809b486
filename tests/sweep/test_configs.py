"""The sweeps that are shipped say what their pages say."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.util import dict_to_dot, load_config

from spacy_seqmix.annotate.page.start import shipped_config
from spacy_seqmix.convert.conll import read_conll
from spacy_seqmix.sweep import read_sweep
from spacy_seqmix.sweep.plan import Arm

CONFIGS = Path(__file__).parents[2] / "configs"
CONLL = Path(__file__).parents[3] / "shared" / "data" / "conll03" / "train.txt"
NAMES = sorted(path.stem for path in (CONFIGS / "sweeps").glob("*.cfg"))
FILES = {"paths.pool": "pool.spacy", "paths.dev": "dev.spacy", "paths.encoder": "an-encoder"}
ONE_ROUND = {
    "architectures",
    "crf",
    "default_parts",
    "frozen_embeddings",
    "relations",
    "search",
    "segmix",
    "self_training",
}
ROUNDS = {"default": 3}
STUDIES = ["sweep_conll03", "sweep_litbank", "sweep_m2e2", "sweep_webpage", "sweep_wikigold"]


def arms_of(name: str, overrides: dict[str, object] | None = None) -> tuple[Arm, ...]:
    return read_sweep(CONFIGS / "sweeps" / f"{name}.cfg", {**FILES, **(overrides or {})}).arms


def active_of(arm: Arm) -> dict[str, object]:
    return dict(arm.config.copy().interpolate()["active"])


@pytest.mark.parametrize("name", NAMES)
def test_shipped_sweeps_can_be_read(name: str) -> None:
    arms = arms_of(name)
    assert {arm.rounds for arm in arms} == {1 if name in ONE_ROUND else ROUNDS.get(name, 6)}


@pytest.mark.parametrize("name", ["paper", "paper_ace05", "paper_webpage", "small", "sweep"])
def test_shipped_sweeps_have_all_controls(name: str) -> None:
    arms = arms_of(name)
    controls = {arm.name for arm in arms if arm.control}
    assert {"none", f"none at the steps of {arms[0].name}"} <= controls
    assert {"replacement", "duplication"} <= {arm.name for arm in arms}


@pytest.mark.parametrize("name", STUDIES)
def test_sweeps_of_corpora_have_the_arms_of_the_shipped_one(name: str) -> None:
    arms = arms_of(name)
    assert [arm.name for arm in arms] == ["seqmix", "self-training", "none", "replacement"]
    callbacks = [arm.config["initialize"].get("after_init") for arm in arms]
    assert all(one == callbacks[0] for one in callbacks)


@pytest.mark.parametrize("path", [None, "more.spacy"])
def test_shipped_sweep_trains_on_further_text_where_it_is_given(path: str | None) -> None:
    arm = next(a for a in arms_of("sweep", {"paths.unlabelled": path}) if "self" in a.name)
    active = active_of(arm)
    assert (active["mix_set"], active["unlabelled"]) == ("pool", path)


def test_sweeps_without_mixing() -> None:
    plain = ("policies", "policies_label", "crf")
    assert not any(arm.mixes for name in plain for arm in arms_of(name))
    models = [arm.config["components"]["seqmix_ner"]["model"] for arm in arms_of("crf")]
    shipped = ("transformer", "transformer_crf")
    configs = [load_config(CONFIGS / f"{name}.cfg") for name in shipped]
    assert models == [config["components"]["seqmix_ner"]["model"] for config in configs]
    names = ["random", "NTE", "LC", "QBC", "tag count", "fluctuation"]
    assert [arm.name for arm in arms_of("policies")] == names


def test_sweep_of_policies_for_labelling_changes_only_how_texts_are_chosen() -> None:
    first, *others = (dict_to_dot(arm.config) for arm in arms_of("policies_label"))
    assert len(others) == 7
    for values in others:
        names = {name for name in {*first, *values} if first.get(name) != values.get(name)}
        assert names
        assert all(n.startswith("active.policy.") or n == "active.diversity" for n in names)
    page = dict_to_dot(load_config(shipped_config("cnn")))
    given = {name for name in page if page[name] != first[name] and not name.startswith("paths.")}
    assert given == {
        f"active.{name}" for name in ("pool", "dev", "n_rounds", "oracle.@misc", "policy.@misc")
    }


def test_default_is_what_its_sweeps_measure_and_the_page_trains() -> None:
    shipped = load_config(CONFIGS / "default.cfg")
    assert shipped["active"]["extends"] == "transformer_crf.cfg"
    pipeline = load_config(CONFIGS / "transformer_crf.cfg")["components"]
    arms = {
        arm.name: arm.config for sweep in ("default", "default_parts") for arm in arms_of(sweep)
    }
    page = load_config(shipped_config("transformer"))
    for config in (arms["default"], arms["CRF and word shapes"], page):
        assert config["components"] == pipeline
    policy = shipped["active"]["policy"]
    assert arms["default"]["active"]["policy"] == page["active"]["policy"] == policy


def test_default_leaves_out_the_mixing_of_seqmix() -> None:
    """So that a rate adds it."""
    default, seqmix = (
        load_config(CONFIGS / f"{name}.cfg")["active"] for name in ("default", "active")
    )
    assert default["mixing"].pop("rate") == 0
    assert seqmix["mixing"].pop("rate") > 0
    assert default["mixing"] == seqmix["mixing"]


def test_search_is_over_one_setting_at_a_time() -> None:
    seqmix, *others = arms_of("search")
    values = {arm.name: dict_to_dot(arm.config) for arm in others}
    assert list(values)[-1] == "none"
    apart = {name: dict_to_dot(seqmix.config).items() ^ own.items() for name, own in values.items()}
    assert {key for pairs in apart.values() for key, _ in pairs if "mixing" not in key} == set()
    assert all(apart.values())


@pytest.mark.parametrize("name", NAMES)
def test_arms_that_mix_in_the_encoder_have_one_that_mixes(name: str) -> None:
    for arm in arms_of(name):
        mixing = active_of(arm).get("mixing") or {}
        assert isinstance(mixing, dict)
        # These two mix nothing: a λ of 1, and docs as they are.
        plain = ("MentionReplacement", "Duplication")
        strategy = mixing.get("strategy", {}).get("@misc", "")
        realiser = mixing.get("realiser", {}).get("@misc", "")
        if "Interpolated" in realiser and not any(one in strategy for one in plain):
            architectures = [v for k, v in dict_to_dot(arm.config).items() if "@architectures" in k]
            assert any("seqmix.Mix" in str(one) for one in architectures), arm.name


def test_sweeps_of_the_papers_training_have_two_controls() -> None:
    """A report compares SeqMix with the control of its own settings, and that one with none."""
    for name, seed, query in (("protocol", 200, 100), ("protocol_webpage", 85, 60)):
        none, seqmix, extra = arms_of(name)
        assert [arm.name for arm in (none, seqmix, extra)] == [
            "none",
            "SeqMix",
            "none with the extra epochs",
        ]
        assert [arm.mixes for arm in (none, seqmix, extra)] == [False, True, False]
        same = {k: v for k, v in seqmix.settings.items() if not k.startswith("active.mixing")}
        assert {k: v for k, v in extra.settings.items() if k != "active.mixing"} == same
        names = {k for k in none.settings if none.settings[k] != extra.settings[k]}
        assert names == set()
        assert extra.settings.keys() - none.settings.keys() == {"active.second_epochs"}
        active = [arm.resolved.active for arm in (none, seqmix, extra)]
        epochs = [[one.second_epochs_of(number) for number in range(6)] for one in active]
        assert epochs == [[0.0] * 6, [10.0, *[0.0] * 5], [10.0, *[0.0] * 5]]
        assert {(one.start, one.epochs, one.max_steps) for one in active} == {("warm", 10, None)}
        assert {(one.n_seed, one.n_query) for one in active} == {(seed, query)}
        assert seqmix.rates == [0.2] * 6
        assert seqmix.config["training"]["optimizer"]["learn_rate"]["initial_rate"] == 5e-5


def test_small_profile_is_the_papers_but_for_its_training() -> None:
    paper, small = arms_of("paper"), arms_of("small")
    assert [arm.name for arm in small] == [arm.name for arm in paper]
    rate = [arms[0].config["training"]["optimizer"]["learn_rate"] for arms in (paper, small)]
    assert [schedule["initial_rate"] for schedule in rate] == [5e-5, 2e-4]
    assert [arms[0].config["training"]["accumulate_gradient"] for arms in (paper, small)] == [1, 4]
    strategy = small[0].config.copy().interpolate()["active"]["mixing"]["strategy"]
    assert (strategy["window"], strategy["density"]) == (5, 0.6)


@pytest.mark.skipif(not CONLL.is_file(), reason="CoNLL-2003 is not in ../shared/data")
def test_whole_sentences_of_the_paper_are_enough_in_conll() -> None:
    """A seed set is random, and NTE asks for long sentences; a fifth of candidates may be bad."""
    (arm,) = read_sweep(CONFIGS / "sweeps" / "paper.cfg", FILES, ["whole"]).arms
    (mixer,), active = arm.resolved.mixers, arm.resolved.active
    docs = list(islice(read_conll(CONLL, spacy.blank("en")), 2000))
    for seed in range(3):
        rng = np.random.default_rng(seed)
        pool = [docs[i] for i in rng.permutation(len(docs))[: active.pool_size]]
        seeds, rest = pool[: active.n_new(0)], pool[active.n_new(0) :]
        queried = sorted(rest, key=len, reverse=True)[: active.n_new(1)]
        for number, labelled in enumerate((seeds, queried)):
            wanted = mixer.rate_at(number) * len(labelled)
            eligible = [doc for doc in labelled if mixer.strategy.eligible(doc)]
            assert len(list(mixer.strategy(eligible, rng))) >= 1.25 * wanted


def test_architectures_are_those_of_the_shipped_configs() -> None:
    arms = [arm for arm in arms_of("architectures") if not arm.control]
    pipelines = [arm.config["nlp"]["pipeline"] for arm in arms]
    assert [pipeline[-1] for pipeline in pipelines] == [
        "seqmix_ner",
        "ner",
        "seqmix_ner",
        "seqmix_ner",
        "ner",
    ]
    assert [active_of(arm)["component"] for arm in arms] == [one[-1] for one in pipelines]
    assert [active_of(arm)["max_steps"] for arm in arms] == [500, 500, 100, 100, 100]
