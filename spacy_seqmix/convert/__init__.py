"""Readers of the formats that spaCy's own `convert` does not read, or reads wrongly."""

from .ace import read_ace
from .brackets import has_markup, parse_markup, read_brackets, to_escaped_markup, to_markup
from .conll import read_conll
from .events import read_dygiepp, read_jmee, read_oneie
from .formats import FORMATS, Converted, convert_file, detect, first_row
from .relations import read_relations
from .semeval import read_semeval
from .skweak import read_skweak
from .texts import read_plain
from .tools import tool_of

__all__ = [
    "FORMATS",
    "Converted",
    "convert_file",
    "detect",
    "first_row",
    "has_markup",
    "parse_markup",
    "read_ace",
    "read_brackets",
    "read_conll",
    "read_dygiepp",
    "read_jmee",
    "read_oneie",
    "read_plain",
    "read_relations",
    "read_semeval",
    "read_skweak",
    "to_escaped_markup",
    "to_markup",
    "tool_of",
]
