"""Memory of pipelines that are no longer used."""

import gc
import os
import platform
import weakref
from pathlib import Path

import pytest

from spacy_seqmix.active.memory import frozen_objects, release_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no trim")
def test_release_memory_returns_what_lies_between_blocks_in_use():
    def resident():
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    blocks = [bytes(1000) for _ in range(100_000)]  # too large for Python's own allocator
    kept = blocks[::50]
    full = resident()
    del blocks
    release_memory()
    assert resident() < full - 50
    assert len(kept) == 2000


class Ring:
    """An object that only the garbage collector finds."""

    def __init__(self):
        self.ring = self


def test_memory_of_later_objects_is_released_while_others_are_frozen():
    before = Ring()
    with frozen_objects():
        assert gc.get_freeze_count() > 0
        after = weakref.ref(Ring())
        release_memory()
        assert after() is None
    assert gc.get_freeze_count() == 0
    left = weakref.ref(before)
    del before
    release_memory()
    assert left() is None


def test_memory_that_a_process_has_frozen_itself_stays_frozen():
    gc.freeze()
    try:
        with frozen_objects():
            pass
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_memory_is_searched_again_after_an_error():
    with pytest.raises(ValueError, match="wrong"), frozen_objects():
        raise ValueError("wrong")
    assert gc.get_freeze_count() == 0
