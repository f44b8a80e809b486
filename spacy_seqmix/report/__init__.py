"""From the journals of runs to tables, statistics, pictures and a page to look at."""

from .arms import Arm, read_arms
from .runs import Run, read_run
from .write import write_report

__all__ = ["Arm", "Run", "read_arms", "read_run", "write_report"]
