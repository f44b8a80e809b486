"""Readers of the formats that spaCy's own `convert` lacks or reads wrongly."""

from .brackets import convert_brackets, parse_markup, read_brackets, to_markup
from .conll import convert_conll, read_conll
from .relations import convert_relations, read_relations
from .semeval import convert_semeval, read_semeval

__all__ = [
    "convert_brackets",
    "convert_conll",
    "convert_relations",
    "convert_semeval",
    "parse_markup",
    "read_brackets",
    "read_conll",
    "read_relations",
    "read_semeval",
    "to_markup",
]
