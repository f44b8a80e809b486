"""Docs side by side without padding."""

from itertools import pairwise

import numpy as np
import pytest

from spacy_seqmix.annotation.packing import Packing


def test_packing_by_hand():
    packing = Packing([2, 0, 3, 1])
    assert len(packing) == 6
    assert packing.order.tolist() == [2, 0, 3]
    assert packing.sizes == [3, 2, 1]
    assert [places.tolist() for places in packing.places] == [[1, 4], [], [0, 3, 5], [2]]
    assert packing.flat.tolist() == [1, 4, 0, 3, 5, 2]
    assert packing.last.tolist() == [5, 4, 2]
    assert packing.previous.tolist() == [0, 1, 3]
    assert [packing.at(t) for t in range(3)] == [slice(0, 3), slice(3, 5), slice(5, 6)]


@pytest.mark.parametrize("lengths", [[], [0], [0, 0], [1], [3, 3, 3], [1, 9, 2, 0, 9, 1]])
def test_packing_has_a_place_for_each_token(lengths):
    packing = Packing(lengths)
    assert sorted(packing.flat.tolist()) == list(range(sum(lengths)))
    assert [len(places) for places in packing.places] == lengths
    # The previous place is that of the token before in the same doc.
    before = {b: a for places in packing.places for a, b in pairwise(places.tolist())}
    first = len(packing.order)
    places = np.arange(first, len(packing)).tolist()
    assert dict(zip(places, packing.previous.tolist(), strict=True)) == before
