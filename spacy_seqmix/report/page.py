"""A report as one HTML file that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from .facts import Facts, fact_lines
from .figures import FIGURES
from .summary import ReportSummary
from .tables import Table, make_tables, verdicts

__all__ = ["to_html"]

# Anchor, title, pictures and tables of each section; confusion tables are folded.
BLOCKS = (
    ("curves", "Learning curves", ("curves",), ("scores",)),
    ("gains", "Gains", ("gains",), ("statistics", "tokens")),
    ("effort", "Effort", ("effort",), ("minutes",)),
    ("types", "Types", (), ("types", "confusion")),
    ("queries", "Queries", ("queries",), ("overlap",)),
    ("mixing", "Mixing", ("perplexity",), ("mixed", "counts")),
    ("time", "Time", (), ("seconds",)),
)


def to_html(
    report: ReportSummary,
    facts: Facts,
    notes: Sequence[str],
    pictures: Mapping[str, str],
    examples: Sequence[Mapping[str, Any]],
) -> str:
    """Lay out a report.

    pictures (Mapping[str, str]): SVG by the name of the picture, for wide and for narrow screens.
    examples (Sequence[Mapping[str, Any]]): see ``mixed_examples``.
    """
    blocks = list(_blocks(make_tables(report), pictures))
    sentences = list(verdicts(report))
    sections = [("verdict", "In short")] if sentences else []
    sections += [(block["anchor"], block["title"]) for block in blocks]
    sections += [("examples", "Examples")] if examples else []
    folder = files(__package__) / "page"
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    page = environment.from_string((folder / "page.html").read_text("utf8"))
    return page.render(
        facts=facts,
        fact_lines=fact_lines(facts),
        notes=notes,
        verdicts=sentences,
        blocks=blocks,
        sections=[*sections, ("made", "How it was made")],
        n_examples=len(examples),
        # In a script element nothing is escaped; "</script" would end it, "<!--" change its end.
        examples=_as_json(examples).replace("<", "\\u003c"),
        css=(folder / "page.css").read_text("utf8"),
        js=(folder / "page.js").read_text("utf8"),
    )


def _as_json(examples: Sequence[Mapping[str, Any]]) -> str:
    """Examples with each parent once: many of them are shared, and displaCy's markup is long."""
    known: dict[str, int] = {}
    shown = [
        {
            **one,
            "parents": [
                {**parent, "html": known.setdefault(parent["html"], len(known))}
                for parent in one["parents"]
            ],
        }
        for one in examples
    ]
    content = {"parents": list(known), "examples": shown}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _blocks(tables: Sequence[Table], pictures: Mapping[str, str]) -> Any:
    """Sections that have something to show."""
    for anchor, title, names, kinds in BLOCKS:
        shown = [
            {
                "title": table.title,
                "note": table.note,
                "head": table.head,
                "rows": table.rows,
                "folded": table.name.startswith("confusion"),
            }
            for table in tables
            if table.name.partition("-")[0] in kinds
        ]
        drawn = [(FIGURES[name][0], pictures[name]) for name in names if name in pictures]
        if shown or drawn:
            yield {"anchor": anchor, "title": title, "tables": shown, "pictures": drawn}
