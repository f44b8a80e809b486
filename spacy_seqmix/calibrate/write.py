"""A calibration as files: `perplexity.png` and `perplexity.json`."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import replacing
from ..models.names import short_name
from .picture import draw
from .ranges import linear_edges, log_edges, quantiles
from .run import Calibration
from .scores import Floats, Scores

__all__ = ["write"]


def write(found: Calibration, folder: Path) -> None:
    """Write the picture and the numbers; both files appear, or none does.

    found (Calibration): what ``calibrate`` returned.
    folder (Path): where to write; made if need be.
    RAISES (ImportError): S515 without matplotlib.
    """
    with ExitStack() as stack:
        numbers, picture = (
            stack.enter_context(replacing(folder / name))
            for name in ("perplexity.json", "perplexity.png")
        )
        numbers.write_text(json.dumps(to_json(found), indent=2) + "\n", encoding="utf8")
        draw(found, picture)


def to_json(found: Calibration) -> dict[str, Any]:
    """All figures of a calibration, with the day on which they were found."""
    both = {"corpus": found.corpus} | ({} if found.mixed is None else {"mixed": found.mixed})
    perplexity, nats = (
        np.concatenate([getattr(scores, name) for scores in both.values()])
        for name in ("known", "nats")
    )
    edges = {"perplexity": log_edges(perplexity)}
    if len(nats):
        edges["window_nats"] = linear_edges(nats)
    proposed = dict(zip(("min_perplexity", "max_perplexity"), found.perplexity, strict=True))
    if found.window_nats is not None:
        proposed["max_window_nats"] = found.window_nats.high
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "model": short_name(found.model),
        "revision": found.revision,
        "commit": found.commit,
        "precision": found.precision,
        "unit": found.unit,
        "windows_of": list(found.sizes),
        "proposed": {"between_quantiles": list(found.asked), **proposed},
        "kept": found.kept(),
        "edges": {name: values.tolist() for name, values in edges.items()},
        **{name: _numbers(scores, edges, found.asked) for name, scores in both.items()},
    }


def _numbers(scores: Scores, edges: dict[str, Floats], asked: tuple[float, ...]) -> dict[str, Any]:
    out: dict[str, Any] = {
        "file": scores.name,
        "texts": len(scores.perplexities),
        "without_text": len(scores.perplexities) - len(scores.known),
    }
    for name, values in {"perplexity": scores.known, "window_nats": scores.nats}.items():
        if len(values):
            counts = np.histogram(values, edges[name])[0].tolist()
            out[name] = {"n": len(values), "quantiles": quantiles(values, asked), "counts": counts}
    return out
