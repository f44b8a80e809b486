"""SeqMix and SegMix for spaCy: get more out of few labels. Importing this imports no torch."""

from . import soft_labels
from .types import MixPlan, Segment, SoftLabels

__version__ = "0.1.0"
__all__ = ["MixPlan", "Segment", "SoftLabels", "__version__", "soft_labels"]
