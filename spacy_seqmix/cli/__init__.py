"""The commands under `spacy seqmix`.

spaCy imports this module for each of its commands: nothing here, and nothing at the top of the
commands' modules, may import torch, transformers or matplotlib. Each command imports what it runs.
"""

from __future__ import annotations

import typer
from spacy.cli._util import app as spacy_app

from ._common import CONTEXT, show_version
from .active import active_cli
from .annotate import annotate_cli
from .audit import audit_cli
from .augment import augment_cli
from .calibrate import calibrate_cli
from .confidence import confidence_cli
from .convert import convert_cli
from .distill import distill_cli
from .ingest import ingest_cli
from .query import query_cli
from .report import report_cli
from .score import score_cli
from .serve import serve_cli
from .show import show_cli
from .sweep import sweep_cli

__all__ = ["app"]

HELP = """Sequence mixup (SeqMix) and active learning: get more out of few labels."""

app = typer.Typer(
    name="seqmix", help=HELP, callback=show_version, no_args_is_help=True, rich_markup_mode=None
)
app.command("active", no_args_is_help=True, context_settings=CONTEXT)(active_cli)
app.command("annotate", no_args_is_help=True, context_settings=CONTEXT)(annotate_cli)
app.command("audit", no_args_is_help=True, context_settings=CONTEXT)(audit_cli)
app.command("augment", no_args_is_help=True, context_settings=CONTEXT)(augment_cli)
app.command("show", no_args_is_help=True)(show_cli)
app.command("calibrate", no_args_is_help=True)(calibrate_cli)
app.command("convert", no_args_is_help=True)(convert_cli)
app.command("confidence", no_args_is_help=True)(confidence_cli)
app.command("distill", no_args_is_help=True, context_settings=CONTEXT)(distill_cli)
app.command("sweep", no_args_is_help=True, context_settings=CONTEXT)(sweep_cli)
app.command("ingest", no_args_is_help=True)(ingest_cli)
app.command("query", no_args_is_help=True)(query_cli)
app.command("report", no_args_is_help=True)(report_cli)
app.command("score", no_args_is_help=True)(score_cli)
app.command("serve", no_args_is_help=True)(serve_cli)

spacy_app.add_typer(app, name="seqmix")
