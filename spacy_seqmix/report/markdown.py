"""A report as Markdown, beside its pictures."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from wasabi.markdown import MarkdownRenderer

from .facts import Facts, fact_lines
from .figures import FIGURES
from .summary import ReportSummary
from .tables import Table, make_tables, verdicts

__all__ = ["lay_out", "to_markdown"]

# What begins or ends markup within a line; "_" does so only at the ends of words.
MARKUP = re.compile(r"[\\`*\[\]<>|~&]|_(?=_*\b)|(?<!\w)_|(?<=_)_")
# What makes a line a heading, or an item of a list.
OPENING = re.compile(r"^(\d*)([-+#=.)])")

# The pictures that stand after each table.
PLACES = {
    "scores": ("curves", "gains"),
    "minutes": ("effort",),
    "overlap": ("queries",),
    "counts": ("perplexity",),
}


def to_markdown(
    report: ReportSummary, facts: Facts, notes: Sequence[str], pictures: Collection[str]
) -> str:
    """Lay out a report.

    notes (Sequence[str]): warnings to show above all else.
    pictures (Collection[str]): names of the PNG files that stand beside it.
    """
    page = MarkdownRenderer()
    page.add(page.title(1, escape(facts["title"])))
    for note in notes:
        page.add(f"> **Note:** {escape(note)}.")
    if sentences := list(verdicts(report)):
        page.add(page.list(OPENING.sub(r"\1\\\2", escape(text)) for text in sentences))
    left = [name for name in FIGURES if name in pictures]

    def add_pictures(names: Sequence[str]) -> None:
        for name in [name for name in names if name in left]:
            left.remove(name)
            page.add(f"![{FIGURES[name][0]}]({name}.png)")

    for table in make_tables(report):
        for part in (page.title(2, escape(table.title)), escape(table.note), lay_out(table)):
            page.add(part)
        add_pictures(PLACES.get(table.name, ()))
    add_pictures(list(left))
    page.add(page.title(2, "How it was made"))
    command, *others = fact_lines(facts)
    shown = escape(command[1]) if "`" in command[1] else page.code(command[1])
    page.add(page.list([f"Command: {shown}", *(f"{k}: {escape(text)}" for k, text in others)]))
    return page.text + "\n"


def lay_out(table: Table) -> str:
    """A table in Markdown, its columns aligned to the right."""
    head, *rows = [[escape(text) for text in row] for row in (table.head, *table.rows)]
    return MarkdownRenderer().table(rows, head, aligns=["r"] * len(head))


def escape(text: str) -> str:
    """A text in one line that Markdown shows as it is, whatever names it holds."""
    return MARKUP.sub(r"\\\g<0>", " ".join(text.splitlines()))
