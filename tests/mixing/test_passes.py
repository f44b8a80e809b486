"""Where a pass begins, however many docs are alike."""

import pytest

from spacy_seqmix.mixing.passes import HEAD, PassDetector


def begun(keys):
    """Where passes seemed to begin and were not revoked."""
    detector = PassDetector()
    found = []
    for i, key in enumerate(keys):
        wrong, begins = detector.see(key)
        if wrong:
            found.pop()
        if begins:
            found.append(i)
    return found, detector.n_certain


@pytest.mark.parametrize("n", [HEAD, HEAD + 1, 30])
def test_every_pass_is_noticed_at_once(n):
    keys = [f"doc {i}" for i in range(n)]
    assert begun(keys * 5) == ([n, 2 * n, 3 * n, 4 * n], 4)
    assert begun([*keys, keys[0]]) == ([n], 0)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_passes_over_very_few_docs_are_noticed_too(n):
    found, certain = begun([f"doc {i}" for i in range(n)] * 40)
    assert len(found) >= 8
    assert certain >= len(found) - 1


def test_twins_are_no_pass():
    keys = ["a", "b", "a", "a", "c", "a", "b", "a", *"defgh", "a"]
    assert begun(keys) == ([13], 0)  # what comes next will tell
    assert begun([*keys, *keys]) == ([len(keys), 2 * len(keys) - 1], 1)


def test_twins_at_the_beginning_are_no_pass():
    keys = ["a", "a", "a", "a", *"bcdefghij"]
    assert begun(keys * 3) == ([len(keys), 2 * len(keys)], 2)
