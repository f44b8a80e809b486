"""What commands give is the same with a Ray cluster, to the last digit."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spacy_seqmix.active import evidence, querying
from spacy_seqmix.active.loop import ActiveRun
from spacy_seqmix.distill import teaching
from spacy_seqmix.distill.folder import DistillFolder
from spacy_seqmix.distill.student import Student
from spacy_seqmix.distill.targets import Targets
from spacy_seqmix.distill.teachers import load_teachers
from spacy_seqmix.distill.texts import read_raw
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.lm import remote
from spacy_seqmix.lm.discriminator import PerplexityDiscriminator
from spacy_seqmix.lm.remote import scored_by_workers
from spacy_seqmix.lm.settings import LMSettings
from spacy_seqmix.parallel.workers import Lost, RayOptions
from spacy_seqmix.query import policies
from spacy_seqmix.score.scorer import Wanted, make_scorer

from ..active.conftest import configure as configure
from ..active.conftest import files as files
from ..active.conftest import start as start
from ..active.conftest import write_files as write_files
from ..distill.conftest import student as student
from ..distill.conftest import teacher as teacher
from ..distill.conftest import texts as texts

pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = pytest.mark.slow

TEXTS = ["Ann met Bob in Oslo .", "", "Norway beat Somerset . " * 9, "a", "The piers closed ."]


def without_seconds(run: ActiveRun) -> list[dict[str, Any]]:
    """The rounds of a run."""
    records = [json.loads(record.model_dump_json()) for record in run.records]
    return [{k: v for k, v in one.items() if "seconds" not in k} for one in records]


def test_active_through_ray_has_the_same_journal(
    start: Callable[..., ActiveRun],
    options: RayOptions,
    monkeypatch: pytest.MonkeyPatch,
    tiny_lm_dir: Path,
) -> None:
    monkeypatch.setattr(policies, "TOGETHER", 5)
    monkeypatch.setattr(querying, "TOGETHER", 5)
    overrides = {
        "active.policy": {"@misc": "spacy-seqmix.QBC.v1"},
        "active.committee.members": 2,
        "active.n_rounds": 1,
        "active.mixing.discriminator": {
            "@misc": "spacy-seqmix.PerplexityDiscriminator.v1",
            "model": str(tiny_lm_dir),
            "max_perplexity": None,
        },
    }
    here = start(overrides, "here")
    here.run()
    there = ActiveRun(
        here._given[0], here.folder.path.parent / "there", progress=False, ray=options
    )
    there.run()
    assert len(there.records) == 2
    assert there.records[0].judged
    assert without_seconds(there) == without_seconds(here)


def test_scores_of_a_language_model_are_equal_through_ray(
    options: RayOptions, monkeypatch: pytest.MonkeyPatch, tiny_lm_dir: Path
) -> None:
    monkeypatch.setattr(remote, "TOGETHER", 1)
    one = PerplexityDiscriminator(LMSettings(str(tiny_lm_dir), batch_size=2))
    texts = [*TEXTS, *(f"number {k} " * k for k in range(1, 30))]
    seen: list[int] = []
    want = one.score(texts)
    # Other limits do not need other workers, of which there would be none.
    other = PerplexityDiscriminator(LMSettings(str(tiny_lm_dir), max_perplexity=300.0))
    with scored_by_workers([one, object(), other], options):
        assert np.array_equal(other.score(texts[:1])[0].nlls, want[0].nlls)
        found = one.score(texts, progress=seen.append)
        again = one.score(texts[:3], dtype="bfloat16")
    for a, b in zip(found, want, strict=True):
        assert np.array_equal(a.nlls, b.nlls)
        assert np.array_equal(a.offsets, b.offsets)
    assert sum(seen) == len(texts)
    assert len(again) == 3
    assert one.remote is None


def test_distill_through_ray_writes_the_same_parts(
    options: RayOptions,
    monkeypatch: pytest.MonkeyPatch,
    student: Path,
    teacher: Path,
    texts: Path,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(teaching, "PART", 7)
    config = Student.of(student, {})
    raw = read_raw(texts, config.blank(), (), tmp_path / "none")
    parts: list[dict[str, bytes]] = []
    for name, ray in (("here", None), ("there", options)):
        folder = DistillFolder(tmp_path / name)
        folder.taught.mkdir(parents=True)
        teachers = load_teachers([str(teacher)], config, Targets())
        teaching.teach_texts(folder, raw, teachers, config, ray=ray, progress=False)
        parts.append({one.name: one.read_bytes() for one in folder.taught.iterdir()})
    assert parts[0] == parts[1]
    assert len(parts[0]) == 4


def lost(make: Any, pieces: Any, ray: Any) -> Any:
    """Workers that die of every second piece."""
    do = make()
    for piece in pieces:
        result = Lost(3, "killed") if piece.number % 2 else do(piece.given)
        yield piece.number, result


def test_distill_names_the_parts_that_kill_their_workers(
    monkeypatch: pytest.MonkeyPatch, student: Path, teacher: Path, texts: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(teaching, "PART", 7)
    monkeypatch.setattr(teaching, "results_of", lost)
    config = Student.of(student, {})
    raw = read_raw(texts, config.blank(), (), tmp_path / "none")
    folder = DistillFolder(tmp_path / "out")
    folder.taught.mkdir(parents=True)
    teachers = load_teachers([str(teacher)], config, Targets())
    with pytest.raises(SeqMixError, match=r"S769\] 2 parts killed .* 3 times: .*1, .*3 \(killed"):
        teaching.teach_texts(folder, raw, teachers, config, progress=False)
    assert len(list(folder.taught.iterdir())) == 2


def test_active_names_what_killed_its_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "workers_of", lambda *given: nullcontext(Dying()))
    how = evidence.Evidence("tokens", "ner", "en", "highest")
    with pytest.raises(SeqMixError, match=r"S775\].* scoring the pool .*3 times \(killed\)"):
        list(evidence.computed_by_workers(how, [], [[]], RayOptions("auto")))


class Dying:
    """Workers that die of every piece."""

    size = 1

    def results(self, given: Any, hold: Any = None) -> Any:
        return ((piece.number, Lost(3, "killed")) for piece in given)


def test_a_language_model_that_kills_its_workers_is_named() -> None:
    lm = remote.RemoteLM(Dying(), LMSettings("owner/large"))
    with pytest.raises(SeqMixError, match=r"S775\].* owner/large .*3 times \(killed\)"):
        lm.token_nlls(["one"])


def test_nodes_need_the_same_pipeline(teacher: Path, student: Path) -> None:
    with pytest.raises(SeqMixError, match=r"S779\].*first' than this machine"):
        make_scorer(Wanted(str(teacher)), "0")
    config = Student.of(student, {})
    wanted = teaching._wanted(load_teachers([str(teacher)], config, Targets()), config)
    teaching._make(wanted)
    with pytest.raises(SeqMixError, match=r"S779\].*first' than this machine"):
        teaching._make(replace(wanted, digests=("0",)))
