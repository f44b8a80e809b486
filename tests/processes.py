"""Other processes, as the tests look at them."""

import os
from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether a process has not ended. One that ended and that nobody waited for has."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat")
        if not status.parent.parent.joinpath("self").exists():  # a system without /proc
            return True
        return status.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
