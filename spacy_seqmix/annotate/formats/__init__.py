"""The files of annotation tools: tasks to write, exports to read."""

from .registry import FORMATS, Format, detect, format_of, read_export

__all__ = ["FORMATS", "Format", "detect", "format_of", "read_export"]
