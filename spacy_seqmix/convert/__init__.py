"""Readers of the formats that spaCy's own `convert` lacks or reads wrongly."""

from .ace import convert_ace, read_ace
from .brackets import convert_brackets, parse_markup, read_brackets, to_markup
from .conll import convert_conll, read_conll
from .events import convert_events, read_dygiepp, read_jmee, read_oneie
from .relations import convert_relations, read_relations
from .semeval import convert_semeval, read_semeval

__all__ = [
    "convert_ace",
    "convert_brackets",
    "convert_conll",
    "convert_events",
    "convert_relations",
    "convert_semeval",
    "parse_markup",
    "read_ace",
    "read_brackets",
    "read_conll",
    "read_dygiepp",
    "read_jmee",
    "read_oneie",
    "read_relations",
    "read_semeval",
    "to_markup",
]
