"""The perplexity distribution of a corpus, and the range of a discriminator that it suggests."""

from .picture import draw, require_matplotlib
from .run import Calibration, calibrate
from .text import describe, to_config

__all__ = ["Calibration", "calibrate", "describe", "draw", "require_matplotlib", "to_config"]
