"""The sweeps that are shipped, and the reports that project.yml makes of them."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
import srsly
from weasel.util.config import load_project_config

from spacy_seqmix.sweep import read_sweep
from spacy_seqmix.sweep_names import choose

ROOT = Path(__file__).parents[2]
FILES = {"paths.pool": "pool.spacy", "paths.dev": "dev.spacy", "paths.encoder": "an-encoder"}
CONFIGS = ("paper", "small", "sweep")


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
        reports = found["report-" + (name[6:] if of_paper else name)]["script"]
        shown = re.findall(r'--arm "([^"]+)"', " ".join(reports))
        yield pytest.param("paper" if of_paper else "sweep", values, shown, id=name)


@pytest.mark.parametrize(("config", "values", "shown"), list(commands()))
def test_project_runs_sweeps_and_reports_on_arms_that_are_there(config, values, shown):
    # Models go by what can be had; other paths are texts.
    overrides = {
        key: value if key.startswith("paths.") else srsly.json_loads(value)
        for key, value in values.items()
        if key not in ("paths.encoder", "paths.lm")
    }
    arms = arms_of(config, overrides)
    assert {arm.rounds for arm in arms} == {6}
    if config == "sweep":
        names = ["seqmix", "self-training", "none", "replacement"]
        assert [arm.name for arm in arms] == names
        frozen = [arm.config["initialize"].get("after_init") for arm in arms]
        assert all(one == frozen[0] for one in frozen)
    assert choose([arm.name for arm in arms], shown)
