"""The perplexity distribution of a corpus, and the range of a discriminator that it suggests."""

from .picture import require_matplotlib
from .run import Calibration, calibrate
from .text import describe, to_config
from .write import write

__all__ = ["Calibration", "calibrate", "describe", "require_matplotlib", "to_config", "write"]
