"""What the side bar shows, and the process that trains."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from spacy_seqmix.active.asked import Asked
from spacy_seqmix.active.journal import Scores
from spacy_seqmix.annotate.page.blind import ENOUGH, blind_result
from spacy_seqmix.annotate.page.curve import interval
from spacy_seqmix.annotate.page.progress import WHY, Progress
from spacy_seqmix.annotate.page.rows import PageAnswer
from spacy_seqmix.annotate.training import Training

from ..processes import is_running
from ..registered import POLICIES
from .fake_loop import FakeLoop
from .test_page_desk import post

# Of 4 entities 3 are right, one is missed, and one is predicted that is none.
CONFUSION = [["PER", "PER", 2], ["LOC", "LOC", 1], ["LOC", "", 1], ["", "PER", 1]]


@pytest.fixture
def loop(tmp_path):
    return FakeLoop(tmp_path / "run", n=3)


def state(loop, desk=None, training=None):
    desk = loop.desk() if desk is None else desk
    return Progress(loop.run_dir, desk, identity="run").state(training)


def scores(p, r, f):
    return {"ents_p": p, "ents_r": r, "ents_f": f}


def test_page_progress_of_a_new_run(tmp_path):
    loop = FakeLoop(tmp_path / "run")
    for name in ("asked.jsonl", "status.json"):
        (loop.run_dir / name).unlink()
    shown = state(loop)
    assert shown["loop"]["phase"] == "start"
    assert shown["batch"] == {"round": None, "n": 0, "labelled": 0, "early": 0, "elsewhere": 0}
    assert (shown["curve"], shown["next"], shown["advice"], shown["model"]) == (
        [],
        None,
        None,
        None,
    )


def test_page_progress_counts_answers(loop):
    desk = loop.desk()
    post(loop, desk, 0, [(0, 10, "PER"), (21, 31, "LOC")])
    post(loop, desk, 1)
    post(loop, desk, 2, state="skipped")
    post(loop, desk, 3, [(0, 8, "PER")])
    post(loop, desk, 4)
    shown = state(loop, desk)
    types = {"PER": 2, "LOC": 1}
    assert shown["counts"] == {"labelled": 4, "empty": 2, "skipped": 1, "types": types}
    # Three of the round, of which one is in the place of the skipped text; one for the next.
    assert shown["batch"] == {"round": 0, "n": 3, "labelled": 3, "early": 1, "elsewhere": 0}


def test_page_progress_counts_the_batch_while_another_tab_has_some_of_it(loop):
    desk = loop.desk()
    desk.hand_out("other", [], 2)
    for number in (2, 3, 4):
        post(loop, desk, number)
    shown = Progress(loop.run_dir, desk, identity="run").state(None, "one")["batch"]
    assert shown == {"round": 0, "n": 3, "labelled": 1, "early": 2, "elsewhere": 2}
    shown = Progress(loop.run_dir, desk, identity="run").state(None, "other")["batch"]
    assert shown["elsewhere"] == 0


def test_page_progress_subtracts_what_is_answered_and_says_what_is_left_out(loop):
    desk = loop.desk()
    post(loop, desk, 0)
    post(loop, desk, 1, state="skipped")
    asked = state(loop, desk)["next"]
    assert (asked["pool"], asked["left_out"]) == (4, 0)
    # The loop has looked for more, and found near-duplicates only.
    header = Asked.read(loop.run_dir / "asked.jsonl").header.model_copy(update={"pool": 4, "n": 0})
    Asked(header, ()).write(loop.run_dir / "asked.jsonl")
    asked = state(loop)["next"]
    assert (asked["pool"], asked["left_out"]) == (4, 4)


def test_page_progress_forgets_what_an_earlier_training_did(loop):
    loop.status("train")
    training = training_of(loop, "pass")
    training.start()
    wait_for(lambda: training.has_finished)
    shown = state(loop, training=training)["loop"]
    # It counts from the start of this one.
    assert shown["phase"] == "start"
    assert shown["elapsed"] == pytest.approx(time.time() - training.since, abs=5)
    loop.status("train")
    assert state(loop, training=training)["loop"]["phase"] == "train"
    training.stop()


def test_page_progress_says_what_is_asked_and_why(loop):
    assert "at random" in state(loop)["next"]["why"]
    loop.ask(round_=1, suggest={})
    asked = state(loop)["next"]
    assert (asked["policy"], asked["why"], asked["pool"]) == ("NTE", WHY["NTE"], 6)


def test_page_progress_explains_every_policy():
    kinds = {name.removeprefix("spacy-seqmix.").partition(".")[0] for name, _ in POLICIES}
    assert kinds <= set(WHY)


def test_page_progress_has_the_curve_and_its_uncertainty(loop):
    rows = [
        {"n_labelled": 1, "held_out": [0], "queried": [0, 1], "dev_docs": 1, "scores": {}},
        {
            "n_labelled": 2,
            "held_out": [3],
            "queried": [3, 4],
            "dev_docs": 2,
            "scores": {"dev": {**scores(0.75, 0.75, 0.75), "confusion": CONFUSION}},
        },
    ]
    loop.journal(*rows)
    first, second = state(loop)["curve"]
    assert (first["f"], first["low"], first["docs"]) == (None, None, 1)
    # Of 4 entities 3 are found, and one is found that is none: J = 3 of 5.
    assert second["entities"] == 4
    low, high = (2 * j / (1 + j) for j in (0.2307, 0.8824))
    assert (second["low"], second["high"]) == (pytest.approx(low, 1e-3), pytest.approx(high, 1e-3))
    assert second["set_aside"]


def test_page_progress_interval_comes_from_counts_of_entities():
    def of(*confusion):
        return interval(Scores(ents_p=0.5, ents_r=0.5, ents_f=0.5, confusion=confusion))

    assert of() == (None, None)
    narrow = of(("PER", "PER", 500), ("PER", "", 500), ("", "PER", 500))
    wide = of(("PER", "PER", 5), ("PER", "", 5), ("", "PER", 5))
    assert wide[0] < narrow[0] < 0.5 < narrow[1] < wide[1]
    # A wrong type is missed, and is a wrong prediction too.
    assert of(("PER", "PER", 5), ("PER", "LOC", 5)) == wide
    assert of(("PER", "", 3))[0] == pytest.approx(0.0)
    assert interval(Scores(ents_p=None, ents_r=None, ents_f=None)) == (None, None)


def test_page_progress_advises_to_stop_after_three_rounds_that_agree(loop):
    told = [0.9, 0.995, 0.996, 0.997]
    rows = [
        {"n_labelled": 1, "scores": {}, "agreement": {"docs": 200, "agreement": 0.98, "kappa": k}}
        for k in told
    ]
    loop.journal(*rows[:3])
    assert not state(loop)["advice"]["stop"]
    loop.journal(*rows)
    advice = state(loop)["advice"]
    assert advice["stop"]
    assert advice["bound"] == pytest.approx(4 * 0.02 / 1.02)
    rows[2]["agreement"]["docs"] = 29
    loop.journal(*rows)
    assert not state(loop)["advice"]["stop"]


def test_page_progress_names_the_last_pipeline(loop):
    loop.journal({"n_labelled": 1, "scores": {}}, {"n_labelled": 2, "scores": {}})
    assert state(loop)["model"] is None
    (loop.run_dir / "model-last").mkdir()
    assert state(loop)["model"] == {
        "path": str(loop.run_dir / "model-last"),
        "round": 1,
        "answers": str(loop.run_dir / "answers.jsonl"),
        "run": str(loop.run_dir),
    }


def test_page_progress_survives_damaged_files(loop):
    for name in ("asked.jsonl", "status.json", "journal.jsonl"):
        (loop.run_dir / name).write_text("{", "utf8")
    shown = state(loop)
    assert "[S510]" in shown["loop"]["message"]


def answer(n, *, shown=None, hidden=None, kept=0):
    """An answer with n words, of which the first ones are entities."""
    text = "ab " * n
    places = [(3 * i, 3 * i + 2) for i in range(n)]
    row = {"key": "0-x", "state": "labelled", "text": text, "blind": hidden is not None}
    spans = [{"start": s, "end": e, "label": "A"} for s, e in places[:kept]]
    lists = {
        name: None if size is None else [(s, e, "A", 0.5) for s, e in places[:size]]
        for name, size in (("shown", shown), ("hidden", hidden))
    }
    return PageAnswer.model_validate({**row, "spans": spans, **lists})


def test_page_blind_estimates_how_many_wrong_suggestions_were_kept():
    # Blind, 10 of 40 are wrong; of 200 that were shown, 50 would be, and people changed 30.
    given = [answer(40, hidden=40, kept=30), answer(200, shown=200, kept=170)]
    result = blind_result(given)
    assert (result["hidden"], result["hidden_wrong"]) == (40, 10)
    assert (result["shown"], result["shown_changed"]) == (200, 30)
    assert (result["wrong"], result["kept"]) == (50, 20)


def test_page_blind_says_nothing_from_few_suggestions():
    few = [answer(ENOUGH, hidden=ENOUGH - 1), answer(50, shown=50)]
    assert blind_result(few)["kept"] is None
    assert blind_result([])["wrong"] is None
    skipped = answer(40, hidden=40).model_copy(update={"state": "skipped"})
    assert blind_result([skipped])["hidden"] == 0


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def training_of(loop, code):
    training = Training(loop.run_dir / "page" / "config.cfg", loop.run_dir, ["--gpu-id", "-1"])
    assert training.command[3:5] == ["seqmix", "active"]
    assert {"--wait", "--end-with-input"} <= set(training.command)
    training.command = [sys.executable, "-c", code]
    return training


def test_page_training_tells_why_it_ended_and_starts_again(loop):
    red = "\\x1b[38;5;1m[S999] no memory\\x1b[0m"
    training = training_of(loop, f"print('{red}'); raise SystemExit(1)")
    training.start()
    wait_for(lambda: not training.is_alive)
    shown = state(loop, training=training)["loop"]
    assert (shown["alive"], shown["message"]) == (False, "[S999] no memory")
    training.command = [sys.executable, "-c", "pass"]
    training.start()
    wait_for(lambda: training.has_finished)
    assert state(loop, training=training)["loop"]["message"] is None
    training.stop()


def test_page_training_ends_when_it_is_stopped(loop):
    training = training_of(loop, "import time; time.sleep(60)")
    training.start()
    assert training.is_alive
    training.stop()
    assert not training.is_alive
    training.stop()


def test_page_training_gets_its_environment(loop):
    training = training_of(loop, "import os; raise SystemExit(os.environ['OMP_NUM_THREADS'])")
    training.env = {**os.environ, "OMP_NUM_THREADS": "5"}
    training.start()
    wait_for(lambda: not training.is_alive)
    assert training.message() == "5"
    training.stop()


@pytest.mark.skipif(os.name != "posix", reason="needs signals of POSIX")
def test_page_training_ends_with_a_server_that_is_killed(loop, tmp_path):
    child = (
        "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid()))\nwhile os.read(0, 1): pass"
    )
    server = (
        "import runpy, sys, time; from pathlib import Path\n"
        "t = runpy.run_path(sys.argv[4])['Training'](Path('c'), Path(sys.argv[1]))\n"
        "t.command = [sys.executable, '-c', sys.argv[2], sys.argv[3]]; t.start(); time.sleep(60)"
    )
    pid = tmp_path / "pid"
    # Alone, since importing the package takes seconds.
    module = sys.modules[Training.__module__].__file__
    command = [sys.executable, "-c", server, str(loop.run_dir), child, str(pid), str(module)]
    with subprocess.Popen(command) as process:
        wait_for(lambda: pid.exists() and pid.read_text())
        process.kill()
    wait_for(lambda: not is_running(int(pid.read_text())))


@pytest.mark.parametrize(("share", "wanted"), [(0.2, 1), (0.5, 3), (None, None)])
def test_page_progress_knows_how_many_texts_can_be_set_aside(loop, share, wanted):
    def most(desk):
        facts = {"dev_share": share}
        return Progress(loop.run_dir, desk, identity="run", facts=facts).state(None)["most_aside"]

    desk = loop.desk()
    assert most(desk) == wanted
    post(loop, desk, 0)
    post(loop, desk, 1)
    assert most(desk) == wanted
    # The next round asks for others, and its pool has lost those two.
    loop.ask(round_=1, suggest={}, numbers=[2, 3, 4, 5])
    asked = Asked.read(loop.run_dir / "asked.jsonl")
    Asked(asked.header.model_copy(update={"pool": 4}), asked.texts).write(
        loop.run_dir / "asked.jsonl"
    )
    assert most(desk) == wanted


def test_page_progress_has_the_scores_of_labels(loop):
    per_type = {"PER": {"p": 0.5, "r": 1.0, "f": 0.67}, "LOC": {"p": 1.0, "r": 0.5, "f": 0.67}}
    scored = {**scores(0.75, 0.75, 0.75), "confusion": CONFUSION, "ents_per_type": per_type}
    loop.journal({"n_labelled": 2, "scores": {"dev": scored}}, {"n_labelled": 3, "scores": {}})
    assert state(loop)["types"] == {"LOC": {"f": 0.67, "n": 2}, "PER": {"f": 0.67, "n": 2}}
