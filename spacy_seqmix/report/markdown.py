"""A report as Markdown, beside its pictures."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .facts import Facts, fact_lines
from .figures import FIGURES
from .summary import ReportSummary
from .tables import Table, make_tables, verdicts

__all__ = ["to_markdown"]

# After which table each picture stands.
PLACES = {"scores": ("curves", "gains"), "overlap": ("queries",), "counts": ("perplexity",)}


def to_markdown(
    report: ReportSummary, facts: Facts, notes: Sequence[str], pictures: Collection[str]
) -> str:
    """Lay out a report.

    notes (Sequence[str]): warnings to show above all else.
    pictures (Collection[str]): names of the PNG files that stand beside it.
    """
    parts = [f"# {facts['title']}", *(f"> **Note:** {note}." for note in notes)]
    told = [f"- {sentence}" for sentence in verdicts(report)]
    parts += ["\n".join(told)] if told else []
    left = [name for name in FIGURES if name in pictures]
    for table in make_tables(report):
        parts += [f"## {table.title}", table.note, lay_out(table)]
        for name in PLACES.get(table.name, ()):
            if name in left:
                left.remove(name)
                parts.append(f"![{FIGURES[name][0]}]({name}.png)")
    parts += [f"![{FIGURES[name][0]}]({name}.png)" for name in left]
    parts += [
        "## How it was made",
        "\n".join(f"- {name}: {text}" for name, text in fact_lines(facts)),
    ]
    return "\n\n".join(parts) + "\n"


def lay_out(table: Table) -> str:
    """A table whose columns also line up as plain text."""
    cells = [[text.replace("|", "\\|") for text in row] for row in (table.head, *table.rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
