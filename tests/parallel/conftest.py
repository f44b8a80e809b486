"""A Ray cluster of two nodes, which are on this machine."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from spacy_seqmix.parallel.cluster import QUIET
from spacy_seqmix.parallel.workers import RayOptions


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without room for work, and two nodes with one CPU each."""
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed")
    before = dict(os.environ)
    # Ray's workers give way to all other processes, and would wait for other tests to end.
    os.environ |= QUIET | {"RAY_worker_niceness": "0"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        for _ in range(2):
            made.add_node(num_cpus=1)
        yield made
        made.shutdown()
    os.environ.clear()
    os.environ |= before


@pytest.fixture
def options(cluster: Any) -> RayOptions:
    return RayOptions(cluster.address)
