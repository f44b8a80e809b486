"""Augment rates by epoch or round."""

import pytest
from spacy.util import registry

from spacy_seqmix.mixing.mixer import Rates


def rates_of(rate, n=4):
    at = Rates(rate)
    return [at(i) for i in range(n)]


def test_rates_of_a_number_a_list_and_a_schedule():
    assert rates_of(0.2) == [0.2, 0.2, 0.2, 0.2]
    assert rates_of(1) == [1.0, 1.0, 1.0, 1.0]
    assert rates_of([0.5, 0.25]) == [0.5, 0.25, 0.25, 0.25]
    schedule = registry.get("schedules", "compounding.v1")(0.1, 0.4, 2.0)
    assert rates_of(schedule) == pytest.approx([0.1, 0.2, 0.4, 0.4])


def test_rates_can_be_asked_in_any_order():
    at = Rates(iter([0.3, 0.2, 0.1]))
    assert [at(2), at(0), at(1), at(9)] == [0.1, 0.3, 0.2, 0.1]


@pytest.mark.parametrize("rate", [-0.1, [], [0.1, -1], float("nan"), float("inf"), iter([-1.0])])
def test_rates_out_of_range(rate):
    with pytest.raises(ValueError, match="S212"):
        Rates(rate)
