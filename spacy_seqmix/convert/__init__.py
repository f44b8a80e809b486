"""Readers of the formats that spaCy's own `convert` lacks or reads wrongly."""

from .brackets import convert_brackets, parse_markup, read_brackets, to_markup
from .conll import convert_conll, read_conll

__all__ = [
    "convert_brackets",
    "convert_conll",
    "parse_markup",
    "read_brackets",
    "read_conll",
    "to_markup",
]
