"""A grid of active-learning runs that can be compared."""

from .plan import Arm, Sweep, read_sweep
from .run import run_sweep

__all__ = ["Arm", "Sweep", "read_sweep", "run_sweep"]
