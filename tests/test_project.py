"""project.yml is small, its variables are quoted, and its page is the generated one."""

import re
import shlex
from pathlib import Path

import pytest
from weasel.cli.document import project_document
from weasel.util.config import load_project_config

ROOT = Path(__file__).parent.parent
VALUES = {"sweep": "a sweep; ls", "corpus": "a b", "arm": "seq*mix", "seeds": "[0, 1]"}


def test_project_is_small() -> None:
    assert len((ROOT / "project.yml").read_text("utf8").splitlines()) <= 320
    project = load_project_config(ROOT)
    assert len(project["commands"]) <= 15
    assert set(project["workflows"]) == {"al-mini", "annotate-demo", "al-conll03", "study"}


def test_project_workflows_have_their_commands() -> None:
    project = load_project_config(ROOT)
    names = [command["name"] for command in project["commands"]]
    assert len(set(names)) == len(names)
    assert {name for steps in project["workflows"].values() for name in steps} <= set(names)


def test_project_variables_stay_one_word() -> None:
    plain = load_project_config(ROOT)
    values = {f"vars.{key}": value for key, value in VALUES.items()}
    given = load_project_config(ROOT, overrides=values)
    for one, other in zip(plain["commands"], given["commands"], strict=True):
        for before, after in zip(one["script"], other["script"], strict=True):
            words = shlex.split(before)
            assert len(shlex.split(after)) == len(words), one["name"]


def test_project_quotes_every_variable() -> None:
    text = (ROOT / "project.yml").read_text("utf8")
    for script in re.findall(r"script:\n((?:      .*\n)+)", text):
        for line in script.splitlines():
            # A single quote would end at one in a value, but double quotes enclose these words.
            outside = re.sub(r'"[^"]*"', "", re.sub(r"^\s+- (?=\")", "", line))
            assert "${" not in outside, line


def test_project_reruns_what_changes_without_its_outputs() -> None:
    commands = {one["name"]: one for one in load_project_config(ROOT)["commands"]}
    assert all(one.get("outputs") or one.get("no_skip") for one in commands.values())
    assert commands["report"]["no_skip"]
    assert "configs" in commands["sweep"]["deps"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_project_page_is_the_generated_one(tmp_path: Path) -> None:
    project_document(ROOT, tmp_path / "project.md")
    text = (tmp_path / "project.md").read_text("utf8").replace("(project.yml)", "(../project.yml)")
    assert (ROOT / "docs" / "project.md").read_text("utf8") == text, "run `make docs`"
