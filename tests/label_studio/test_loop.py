"""Rounds of active learning in Label Studio: two people who disagree, kills of either side."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from spacy.tokens import Doc

from spacy_seqmix.active.answers import AnswerFile
from spacy_seqmix.active.journal import RoundRecord, read_journal

from .conftest import ANN, BOB, LabelStudio
from .people import mark, submit

pytestmark = pytest.mark.slow

ODD = ("[PER Ana] 👩‍🚀 left [LOC Oslo] 🙂 .", "قال [PER كَرِيم]: «أين [LOC بغداد]؟»")
KILLS = 10
SECONDS = 240.0


class People:
    """Ann and Bob, who label what the project has, a few tasks at each turn.

    Ann marks what is there, Bob the first entity only. What begins with "Nobody" is skipped.
    """

    def __init__(self, studio: LabelStudio, config: Path, *who: str) -> None:
        """who (str): who labels each text, one after the other."""
        self.studio, self.who = studio, who
        self.gold = json.loads((config.parent / "gold.json").read_text("utf8"))
        self.said: dict[str, list[str] | None] = {}

    def turn(self, project: int, most: int) -> None:
        """Answer some tasks."""
        params = {"project": project, "fields": "all", "page_size": 1000}
        tasks = self.studio.call("GET", "tasks", params=params)["tasks"]
        left = [task for task in tasks if len(task["annotations"]) < len(self.who)]
        for task in left[:most]:
            text = task["data"]["text"]
            marks = [mark(text, *one, f"r{n}") for n, one in enumerate(self.gold[text])]
            for who in self.who:
                given = marks if who == ANN else marks[:1]
                if text.startswith("Nobody"):
                    submit(self.studio, task["id"], [], who, was_cancelled=True)
                    self.said[text] = None
                else:
                    submit(self.studio, task["id"], given, who)
                    self.said[text] = [one["value"]["text"] for one in given]


@pytest.fixture
def config(
    studio: LabelStudio,
    tmp_path: Path,
    write_files: Callable[[Path], dict[str, str]],
    all_news: list[Doc],
    labelled: Callable[..., Doc],
    request: pytest.FixtureRequest,
) -> Path:
    """A config of three rounds over texts without labels."""
    write_files(tmp_path)
    docs = [*map(labelled, ODD), *all_news]
    (tmp_path / "texts.txt").write_text("\n".join(doc.text for doc in docs), "utf8")
    gold = {doc.text: [(e.text, e.label_) for e in doc.ents] for doc in docs}
    (tmp_path / "gold.json").write_text(json.dumps(gold), "utf8")
    text = (tmp_path / "active.cfg").read_text("utf8")
    text = text[: text.index("[active.mixing]")]
    oracle = (
        f'"spacy-seqmix.LabelStudio.v1"\nurl = "{studio.url}"\nproject = "{request.node.name[:40]}"'
    )
    oracle += '\nlabels = ["PER", "LOC", "ORG", "MISC"]\npoll = 0.2'
    text = text.replace('"spacy-seqmix.GoldOracle.v1"', oracle)
    text = text.replace("\npool = null", f'\npool = "{tmp_path / "texts.txt"}"')
    text = text.replace("dev = ${paths.dev}", "dev = null\ndev_min = 2")
    (tmp_path / "people.cfg").write_text(text, "utf8")
    return tmp_path / "people.cfg"


def start(config: Path) -> subprocess.Popen[bytes]:
    """The loop, as a process of its own."""
    run_dir = config.parent / "run"
    command = [sys.executable, "-m", "spacy", "seqmix", "active", str(config), str(run_dir)]
    with (config.parent / "log.txt").open("ab") as log:
        return subprocess.Popen([*command, "--wait", "--quiet"], stdout=log, stderr=log)


def project_of(config: Path) -> int | None:
    """The run's project; None before there is one."""
    try:
        state = json.loads((config.parent / "run/label-studio/project.json").read_text("utf8"))
    except FileNotFoundError:
        return None
    return int(state["id"])


def check(config: Path, people: People) -> list[RoundRecord]:
    """Every answer is in the run, as it was said last, and was asked once."""
    run_dir = config.parent / "run"
    answers = {one.text: one for one in AnswerFile(run_dir / "answers.jsonl").lines()}
    found = {
        text: None if one.skipped else [text[s.start : s.end] for s in one.spans]
        for text, one in answers.items()
    }
    assert found == people.said
    records = read_journal(run_dir / "journal.jsonl")
    assert [one.round for one in records] == [0, 1, 2]
    labelled = [number for one in records for number in one.queried]
    assert len(labelled) == len(set(labelled)) == 16
    return records


def test_label_studio_three_rounds_with_two_people(studio: LabelStudio, config: Path) -> None:
    config.write_text(
        config.read_text("utf8").replace("poll =", "n_annotators = 2\npoll ="), "utf8"
    )
    people = People(studio, config, ANN, BOB)
    process, until = start(config), time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < until:
        if (project := project_of(config)) is not None:
            people.turn(project, 3)
        time.sleep(0.2)
    log = (config.parent / "log.txt").read_text("utf8")
    assert process.poll() == 0, log
    assert "label them at" in log
    assert "W640" not in log  # Bob's answers count, which is no surprise
    records = check(config, people)
    times = [2 * 2.5 * len([*one.queried, *one.skipped]) for one in records]
    assert [one.seconds_of_people for one in records] == times


def test_label_studio_kills_of_either_side_lose_no_answer(
    studio: LabelStudio, config: Path
) -> None:
    people = People(studio, config, ANN)
    rng, until = random.Random(0), time.monotonic() + 2 * SECONDS
    process, kills = start(config), 0
    while time.monotonic() < until:
        time.sleep(rng.uniform(0.0, 3.0))
        if (project := project_of(config)) is not None:
            people.turn(project, 2)
        if process.poll() == 0 and kills >= KILLS:
            break
        if kills < KILLS and kills % 2:
            studio.stop()
            time.sleep(rng.uniform(0.0, 1.0))
            studio.start()
            kills += 1
        elif kills < KILLS:
            process.kill()
            process.wait()
            kills += 1
        if process.poll() is not None and process.poll() != 0:
            process = start(config)
    log = (config.parent / "log.txt").read_text("utf8")
    assert (process.poll(), kills) == (0, KILLS), log
    check(config, people)
