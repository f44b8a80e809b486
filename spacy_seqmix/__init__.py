"""SeqMix and SegMix for spaCy: get more out of few labels. Importing this imports no torch."""

from .annotation import relations, soft_labels
from .annotation.extensions import register_extensions
from .types import MixPlan, Segment, SegmentMix, SoftLabels

__version__ = "0.1.0"
register_extensions()

__all__ = [
    "MixPlan",
    "Segment",
    "SegmentMix",
    "SoftLabels",
    "__version__",
    "relations",
    "soft_labels",
]
