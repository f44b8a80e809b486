"""Other processes, as the tests look at them."""

import os
from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether a process has not ended. One that ended and that nobody waited for has."""
    try:
        os.kill(pid, 0)
        if not Path("/proc/self").exists():  # of Linux
            return True
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
