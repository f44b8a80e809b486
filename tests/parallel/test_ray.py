"""Work on a Ray cluster of two nodes, which are on this machine: equal results, nodes and workers
that die, and clusters that are not there."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spacy_seqmix.errors import SeqMixError, SeqMixFileError
from spacy_seqmix.parallel import ray_workers
from spacy_seqmix.parallel.workers import (
    Lost,
    Piece,
    RayOptions,
    cluster_of,
    results_of,
    workers_of,
)
from spacy_seqmix.score.folder import Share
from spacy_seqmix.score.run import score_pool
from spacy_seqmix.score.scorer import Wanted

from ..score.test_score import contents
from ..score.test_score import pipeline as pipeline
from ..score.test_score import texts as texts

ray = pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = pytest.mark.slow


def make_squares(log: Path) -> Callable[[int], int]:
    """Squares numbers, and notes in which process. Some do what a piece can do to its worker."""

    def square(number: int) -> int:
        with (log / str(os.getpid())).open("a") as file:
            file.write(f"{number}\n")
        if number == 13 or (number == 7 and len(done(log, 7)) == 1):
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 5:
            time.sleep(1.5)
        if number < 0:
            raise ValueError(f"{number} is negative")
        return number * number

    return square


def done(log: Path, number: int) -> list[str]:
    """The processes that began a piece, as often as they did."""
    return [p.name for p in log.iterdir() for line in p.read_text().split() if int(line) == number]


def pieces(*numbers: int) -> list[Piece]:
    return [Piece(number, number) for number in numbers]


def test_ray_gives_the_results_of_one_process(options, tmp_path):
    make = partial(make_squares, tmp_path)
    found = dict(results_of(make, pieces(*range(6)), options))
    assert found == dict(results_of(partial(make_squares, tmp_path), pieces(*range(6))))
    assert len(list(tmp_path.iterdir())) in (2, 3)  # this process, and one or two workers


def test_ray_leaves_the_handler_of_signals(one):
    before = signal.getsignal(signal.SIGTERM)
    with cluster_of(one):
        during = signal.getsignal(signal.SIGTERM)
    assert during is not before  # Ray's own
    assert signal.getsignal(signal.SIGTERM) is before


def test_ray_takes_pieces_as_workers_become_free(options, tmp_path):
    taken: list[int] = []

    def given() -> Iterator[Piece]:
        for number in range(100, 140):
            taken.append(number)
            yield Piece(number, number)

    results = results_of(partial(make_squares, tmp_path), given(), options)
    next(results)
    assert len(taken) <= 4  # of two workers
    results.close()
    assert not ray.is_initialized()


def test_ray_does_the_pieces_of_a_worker_that_dies_again(one, tmp_path):
    make = partial(make_squares, tmp_path)
    found = dict(results_of(make, pieces(*range(10)), one))
    assert found == {number: number**2 for number in range(10)}
    assert len(done(tmp_path, 7)) == 2
    assert sum(len(done(tmp_path, number)) for number in range(10)) <= 13


def test_ray_sets_aside_a_piece_that_kills_its_worker_three_times(one, tmp_path):
    make = partial(make_squares, tmp_path)
    found = dict(results_of(make, pieces(12, 13, 14, 15), one))
    lost = found.pop(13)
    assert isinstance(lost, Lost)
    assert lost.times == 3
    assert len(done(tmp_path, 13)) == 3
    assert found == {12: 144, 14: 196, 15: 225}


def test_ray_raises_what_a_piece_raises(one, tmp_path):
    with pytest.raises(ValueError, match="-3 is negative"):
        list(results_of(partial(make_squares, tmp_path), pieces(1, -3), one))


def make_rows() -> Callable[[int], Any]:
    """Makes results that are so large that they stay on their node until they are wanted."""
    return lambda number: np.full(500_000, number)


def test_ray_goes_on_when_a_node_dies(cluster, options):
    node = cluster.add_node(num_cpus=1)
    results = results_of(make_rows, pieces(*range(20, 60)), options)
    found = dict(islice(results, 6))
    cluster.remove_node(node)
    found |= results
    assert {number: int(row[-1]) for number, row in found.items()} == {k: k for k in range(20, 60)}


def test_ray_workers_may_die_while_they_are_idle(options, tmp_path):
    with workers_of(partial(make_squares, tmp_path), options) as workers:
        assert dict(workers.results(pieces(1, 2))) == {1: 1, 2: 4}
        for path in tmp_path.iterdir():
            os.kill(int(path.name), signal.SIGKILL)
        time.sleep(0.5)
        assert dict(workers.results(pieces(3))) == {3: 9}


def test_ray_workers_work_in_the_folder_of_the_command(one, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make = partial(partial, os.path.abspath)
    assert list(results_of(make, [Piece(0, "a")], one)) == [(0, str(tmp_path / "a"))]


def fails(error: Exception) -> Callable[[Any], Any]:
    raise error


def test_ray_says_why_a_worker_can_not_start(one):
    with pytest.raises(SeqMixError, match=r"S773.*RuntimeError: out of memory"):
        list(results_of(partial(fails, RuntimeError("out of memory")), pieces(1), one))
    with pytest.raises(SeqMixError, match=r"^\[S401\] no such") as error:
        list(results_of(partial(fails, SeqMixError("[S401] no such")), pieces(1), one))
    assert error.value.code == "S401"


def test_ray_wants_the_same_version_everywhere(one, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_workers, "__version__", "0.0.1")
    with pytest.raises(SeqMixError, match=r"S774.* version \d.*and 0\.0\.1 runs here"):
        list(results_of(partial(make_squares, tmp_path), pieces(1), one))


@pytest.mark.parametrize(("cpus", "gpus", "wanted"), [(64, 0, "64 CPU"), (1, 1, "1 CPU, 1 GPU")])
def test_ray_says_where_there_is_no_room(cluster, tmp_path, cpus, gpus, wanted):
    options = RayOptions(cluster.address, None, cpus, gpus)
    with pytest.raises(SeqMixError, match=rf"S772.* needs {wanted}, and the cluster has 2 CPU, 0"):
        list(results_of(partial(make_squares, tmp_path), pieces(1), options))


def test_ray_takes_as_many_workers_as_are_wanted(cluster, tmp_path):
    options = RayOptions(cluster.address, workers=1)
    list(results_of(partial(make_squares, tmp_path), pieces(*range(6)), options))
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense"])
def test_ray_says_where_no_cluster_is(address, tmp_path):
    options = RayOptions(address)
    with pytest.raises(SeqMixFileError, match=rf"S771.*'{address}'"):
        list(results_of(partial(make_squares, tmp_path), pieces(1), options))


def test_ray_scores_a_pool_as_one_process_does(options, pipeline, texts, tmp_path):
    wanted = Wanted(str(pipeline), policy="NTE", spans=True, docs=True)
    score_pool(wanted, [texts], tmp_path / "here", n_shards=4, top=5, progress=False)
    out = tmp_path / "ray"
    score_pool(wanted, [texts], out, share=Share(2, 4), progress=False)
    run = score_pool(wanted, [texts], out, n_shards=4, top=5, ray=options, progress=False)
    assert (run.new, run.done) == (3, 4)
    assert contents(out) == contents(tmp_path / "here")


def lost(make: Any, pieces: Any, ray: Any) -> Iterator[tuple[int, Any]]:
    """Workers that die of the second piece."""
    do = make()
    for piece in pieces:
        yield piece.number, Lost(3, "killed") if piece.number == 1 else do(piece.given)


def test_ray_score_names_the_shard_that_kills_its_workers(pipeline, texts, tmp_path, monkeypatch):
    wanted, out = Wanted(str(pipeline), policy="NTE"), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("spacy_seqmix.score.run.results_of", lost)
        with pytest.raises(
            SeqMixError, match=r"S769\] 1 shard killed .* 3 times: 00002-of-00003 \("
        ):
            score_pool(wanted, [texts], out, n_shards=3, progress=False)
    assert sorted(path.name for path in (out / "shards").iterdir()) == [
        "00001-of-00003.jsonl",
        "00003-of-00003.jsonl",
    ]
    assert score_pool(wanted, [texts], out, n_shards=3, progress=False).new == 1
