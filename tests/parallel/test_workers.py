"""How pieces are given to workers, with a Ray that a test tells what to do."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from spacy_seqmix import __version__
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.parallel import cluster, ray_workers
from spacy_seqmix.parallel.cluster import Patience
from spacy_seqmix.parallel.ray_workers import RayWorkers
from spacy_seqmix.parallel.workers import Lost, Piece, RayOptions, in_order, workers_of


class RayError(Exception):
    """What Ray raises of workers, nodes and results that are gone."""


class RayTaskError(RayError):
    """What Ray raises of errors of functions."""


class _Ref:
    error: Exception | None = None
    result: Any = None


class FakeRay:
    """Does calls at once. ``ends`` says of each call in turn whether its worker dies of it."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, n: int, ends: Iterable[bool] = ()) -> None:
        self.n, self.ends = n, iter(ends)
        self.actors: list[Any] = []

    def put(self, value: Any) -> Any:
        return value

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": self.n}}]

    def available_resources(self) -> dict[str, float]:
        return {"CPU": 0.0}

    def remote(self, **needs: float) -> Callable[[type], Any]:
        return lambda cls: SimpleNamespace(remote=lambda: self._begun(cls()))

    def _begun(self, worker: Any) -> Any:
        actor = SimpleNamespace(dead=False)
        for name in ("start", "do", "answer"):
            call = partial(self._call, actor, name, getattr(worker, name))
            setattr(actor, name, SimpleNamespace(remote=call))
        self.actors.append(actor)
        return actor

    def _call(self, actor: Any, name: str, of: Callable[..., Any], *given: Any) -> Any:
        ref = _Ref()
        if name != "answer" and next(self.ends, False):
            actor.dead = True
        if actor.dead:
            ref.error = RayError("out of memory")
        else:
            try:
                ref.result = of(*given)
            except Exception as err:
                ref.error = RayTaskError()
                ref.error.cause = err  # type: ignore[attr-defined]
        return ref

    def wait(self, refs: list[Any], **given: Any) -> tuple[list[Any], list[Any]]:
        return refs[:1], refs[1:]

    def get(self, ref: Any) -> Any:
        if ref.error is not None:
            raise ref.error
        return ref.result


def squares() -> Callable[[int], int]:
    def square(number: int) -> int:
        if number == 99:
            raise RuntimeError("no memory on the GPU")
        return number * number

    return square


def workers(ray: FakeRay) -> RayWorkers:
    return RayWorkers(ray, squares, RayOptions("auto"))


def pieces(*numbers: int) -> list[Piece]:
    return [Piece(number, number) for number in numbers]


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_workers_start_when_there_are_pieces_for_them(n):
    ray = FakeRay(3)
    these = workers(ray)
    assert not ray.actors
    assert dict(these.results(pieces(*range(n)))) == {k: k * k for k in range(n)}
    assert len(ray.actors) == min(n, 3)


def test_workers_do_a_piece_again_whatever_killed_its_worker():
    ray = FakeRay(1, [False, True])  # it starts, and dies of its first piece
    assert dict(workers(ray).results(pieces(2, 3))) == {2: 4, 3: 9}
    assert len(ray.actors) == 2


def test_workers_set_a_piece_aside_after_three_deaths():
    ray = FakeRay(1, [False, True] * 3)
    assert list(workers(ray).results(pieces(2))) == [(2, Lost(3, "RayError: out of memory"))]


def test_workers_that_died_while_idle_cost_no_piece_a_try():
    ray = FakeRay(3)
    these = workers(ray)
    list(these.results(pieces(1, 2, 3)))
    for actor in ray.actors:
        actor.dead = True
    assert dict(these.results(pieces(4))) == {4: 16}
    assert len(ray.actors) == 4


def test_workers_that_can_not_start_end_the_work_where_none_has_started():
    with pytest.raises(SeqMixError, match=r"S773.*out of memory"):
        list(workers(FakeRay(1, [True] * 3)).results(pieces(1)))
    # One of two works: three of the others may die while they start.
    ray = FakeRay(2, [False, True, False, True, False, True, False])
    assert dict(workers(ray).results(pieces(*range(8)))) == {k: k * k for k in range(8)}


def test_workers_say_what_has_no_code_of_its_own():
    with pytest.raises(SeqMixError, match=r"S778.*RuntimeError: no memory on the GPU"):
        list(workers(FakeRay(1)).results(pieces(99)))


@pytest.fixture
def patience() -> Patience:
    return Patience(FakeRay(1), RayOptions("auto"))  # which is full of other work


def test_workers_wait_where_the_cluster_is_full_and_say_so(patience, monkeypatch):
    long_ago = patience.since = time.monotonic() - 10_000
    with pytest.warns(UserWarning, match="W770"):
        patience.look()
    assert patience.since > long_ago + 9_000  # the time without room does not count
    monkeypatch.setattr(cluster, "is_full", lambda *given: False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        patience.look()
        patience.since = long_ago
        with pytest.raises(SeqMixError, match=r"S773.*in 15 minutes"):
            patience.look()
    patience.since = time.monotonic() - 200
    with pytest.warns(UserWarning, match="W771"):
        patience.look()


def test_workers_wait_for_other_nodes_and_not_for_ever(patience, monkeypatch):
    ray, now = patience.ray, time.monotonic()
    monkeypatch.setattr(cluster.time, "monotonic", lambda: now)
    node = {"Alive": True, "Resources": {"CPU": 1}}
    gone = [], [{**node, "Alive": False}], [{**node, "Resources": {"GPU": 1}}]
    for nodes in gone:
        ray.nodes = lambda nodes=nodes: nodes
        ray.cluster_resources = dict
        with pytest.warns(UserWarning, match="W772"):
            patience.look()
        now += 600
        ray.nodes = lambda: [node]  # another one came: it has all the time to start a worker
        with pytest.warns(UserWarning, match="W770"):
            patience.look()
        ray.nodes = lambda nodes=nodes: nodes
        with pytest.warns(UserWarning, match="W772"):
            patience.look()
        now += 1000
        with pytest.raises(SeqMixError, match="S772"):
            patience.look()
        patience.begin()


def test_workers_that_start_are_no_other_work():
    """They have the cluster themselves: it is not full of other work."""
    these = workers(FakeRay(1))
    these._begin(1)
    these.patience.since = time.monotonic() - 200
    with pytest.warns(UserWarning, match="W771"):
        these._check_progress()
    these.patience.since = time.monotonic() - 10_000
    with pytest.raises(SeqMixError, match=r"S773.*in 15 minutes"):
        these._check_progress()


class Late:
    """Workers of which the first piece comes after all that may come before it."""

    size = 2

    def __init__(self) -> None:
        self.taken = 0

    def results(
        self, given: Iterable[Piece], hold: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[int, Any]]:
        queue = iter(given)
        first = next(queue)
        while not hold() and (piece := next(queue, None)) is not None:
            self.taken += 1
            yield piece.number, piece.given
        yield first.number, first.given
        yield from ((piece.number, piece.given) for piece in queue)


def test_results_in_order_wait_for_a_late_one_few_at_a_time():
    late = Late()
    assert list(in_order(late, range(100), "a test")) == list(range(100))
    assert late.taken == 5


def test_results_in_order_here():
    with workers_of(squares) as here:
        assert list(in_order(here, [3, 1, 2], "a test")) == [9, 1, 4]
        assert here.size == 1


def test_workers_have_another_version(monkeypatch):
    monkeypatch.setattr(ray_workers, "__version__", "0.0.1")
    ray = FakeRay(1)
    monkeypatch.setattr(ray_workers.Worker, "start", lambda self, *given: __version__)
    with pytest.raises(SeqMixError, match=r"S774.* version .*and 0\.0\.1 runs here"):
        list(workers(ray).results(pieces(1)))
