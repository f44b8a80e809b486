"""A grid of active-learning runs that can be compared."""

from .folder import OneRun, check_folder, runs_of
from .plan import Arm, Sweep, read_sweep
from .record import ArmRecord, RunStatus, SweepRecord, read_status, read_sweep_record
from .run import run_sweep

__all__ = [
    "Arm",
    "ArmRecord",
    "OneRun",
    "RunStatus",
    "Sweep",
    "SweepRecord",
    "check_folder",
    "read_status",
    "read_sweep",
    "read_sweep_record",
    "run_sweep",
    "runs_of",
]
