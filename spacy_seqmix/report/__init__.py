"""From the journals of runs to a table, a JSON file and learning curves."""

from .runs import Round, Run, read_run
from .write import write_report

__all__ = ["Round", "Run", "read_run", "write_report"]
