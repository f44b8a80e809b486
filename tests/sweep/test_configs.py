"""The sweeps that are shipped, and the reports that project.yml makes of them."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
import srsly
from spacy.util import dict_to_dot, load_config
from weasel.util.config import load_project_config

from spacy_seqmix.config import choose
from spacy_seqmix.sweep import read_sweep

ROOT = Path(__file__).parents[2]
FILES = {"paths.pool": "pool.spacy", "paths.dev": "dev.spacy", "paths.encoder": "an-encoder"}
CONFIGS = ("paper", "small", "sweep")
# Of other sweeps, their arms and rounds.
NAMES = {
    "sweep": (["seqmix", "self-training", "none", "replacement"], 6),
    "policies": (["random", "NTE", "LC", "QBC"], 6),
    "crf": (["softmax", "CRF"], 1),
}


def arms_of(name, overrides=None):
    return read_sweep(ROOT / "configs" / f"{name}.cfg", {**FILES, **(overrides or {})}).arms


@pytest.mark.parametrize("name", CONFIGS)
def test_shipped_sweeps_can_be_read(name):
    arms = arms_of(name)
    controls = {arm.name for arm in arms if arm.control}
    assert {"none", f"none at the steps of {arms[0].name}"} <= controls
    assert {"replacement", "duplication"} <= {arm.name for arm in arms}


@pytest.mark.parametrize("path", [None, "more.spacy"])
def test_shipped_sweep_trains_on_further_text_where_it_is_given(path):
    arm = next(a for a in arms_of("sweep", {"paths.unlabelled": path}) if "self" in a.name)
    active = arm.config.copy().interpolate()["active"]
    assert (active["mix_set"], active["unlabelled"]) == ("pool", path)


def test_sweeps_without_mixing():
    assert not any(arm.mixes for name in ("policies", "crf") for arm in arms_of(name))
    models = [arm.config["components"]["seqmix_ner"]["model"] for arm in arms_of("crf")]
    shipped = ("transformer", "transformer_crf")
    configs = [load_config(ROOT / "configs" / f"{name}.cfg") for name in shipped]
    assert models == [config["components"]["seqmix_ner"]["model"] for config in configs]


def test_search_is_over_one_setting_at_a_time():
    seqmix, *others = arms_of("search")
    values = {arm.name: dict_to_dot(arm.config) for arm in others}
    assert list(values)[-1] == "none"
    apart = {
        name: dict_to_dot(seqmix.config).items() ^ found.items() for name, found in values.items()
    }
    assert {key for pairs in apart.values() for key, _ in pairs if "mixing" not in key} == set()
    assert all(apart.values())


def test_small_profile_is_the_papers_but_for_its_training():
    paper, small = arms_of("paper"), arms_of("small")
    assert [arm.name for arm in small] == [arm.name for arm in paper]
    rate = [arms[0].config["training"]["optimizer"]["learn_rate"] for arms in (paper, small)]
    assert [schedule["initial_rate"] for schedule in rate] == [5e-5, 2e-4]
    assert [arms[0].config["training"]["accumulate_gradient"] for arms in (paper, small)] == [1, 4]
    strategy = small[0].config.copy().interpolate()["active"]["mixing"]["strategy"]
    assert (strategy["window"], strategy["density"]) == (5, 0.6)


def commands():
    """The sweeps of project.yml: config, overrides, and the arms that their reports show."""
    project = load_project_config(ROOT)  # as `spacy project run` reads it
    found = {one["name"]: one for one in project["commands"]}
    for name in (name for name in found if name.startswith("sweep-")):
        (script,) = found[name]["script"]
        words = shlex.split(script)
        values = {a[2:]: b for a, b in pairwise(words) if a.startswith("--") and "." in a}
        of_paper = name.startswith("sweep-paper-")
        names = (f"report-{name}", f"report-{name[6:]}")
        reports = next(found[one] for one in names if one in found)["script"]
        shown = re.findall(r'--arm "([^"]+)"', " ".join(reports))
        config = "paper" if of_paper else Path(words[words.index("sweep") + 1]).stem
        yield pytest.param(config, values, shown, id=name)


@pytest.mark.parametrize(("config", "values", "shown"), list(commands()))
def test_project_runs_sweeps_and_reports_on_arms_that_are_there(config, values, shown):
    # Models go by what can be had; other paths are texts.
    overrides = {
        key: value if key.startswith("paths.") else srsly.json_loads(value)
        for key, value in values.items()
        if key not in ("paths.encoder", "paths.lm")
    }
    arms = arms_of(config, overrides)
    names, rounds = NAMES.get(config, ([arm.name for arm in arms], 1 if config == "search" else 6))
    assert {arm.rounds for arm in arms} == {rounds}
    assert [arm.name for arm in arms] == names
    if config != "paper":
        frozen = [arm.config["initialize"].get("after_init") for arm in arms]
        assert all(one == frozen[0] for one in frozen)
    assert choose([arm.name for arm in arms], shown)
