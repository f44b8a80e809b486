"""Mixed docs of runs with their parents, for the browser of a report."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import spacy
from spacy import displacy
from spacy.language import Language
from spacy.tokens import Doc

from ..active.run_folder import RunFolder
from ..annotation import recipes, soft_labels
from ..annotation.docbins import read_docs
from ..annotation.layers import ENTS, RELATIONS
from ..annotation.provenance import Origin, by_key, get_origin, parent_keys
from ..config import CONFIG_ERRORS
from ..errors import plural
from .arms import Arm
from .parents import Pools, labelled_docs
from .runs import Run

__all__ = ["mixed_examples"]

MAX_EXAMPLES = 1000
SHOWN = 0.005


def mixed_examples(
    arms: Sequence[Arm], limit: int = MAX_EXAMPLES
) -> tuple[list[dict[str, Any]], list[str]]:
    """Mixed docs of each arm's first run, as far as they are on disk, a share for each arm.

    RETURNS (tuple): the docs, and what could not be read. Each doc is a dict with ``arm``,
        ``round``, ``seed``, ``perplexity``, ``nats``, ``verdict`` ("kept", "rejected" or "not
        judged"), ``child`` and ``parents``. The child has
        ``tokens``, each with ``text``, ``space``, ``mixed``, ``with`` (what an encoder mixes in),
        ``tag``, and ``shares``: [tag, probability], where there is more than one. Parents have
        ``html``, and ``share``, their weight in the first segment.
    """
    having = [arm for arm in arms if arm.runs[0].folder is not None and _files(arm.runs[0])]
    examples: list[dict[str, Any]] = []
    notes = []
    opened: dict[str, tuple[Language, Pools]] = {}
    for arm in having:
        run = arm.runs[0]
        try:
            own = list(_of_run(arm, run, max(1, limit // len(having)), opened))
        except ValueError as err:
            notes.append(f"mixed docs of {arm.name!r} are not shown: {str(err).rstrip('.')}")
            continue
        examples += own
        if missing := sum(one.pop("missing") > 0 for one in own):
            notes.append(
                f"parents of {plural(missing, 'mixed doc')} of {arm.name!r} are not shown: "
                f"the pool {_inputs(run)[1]!r} was moved or changed"
            )
    return examples, notes


def _files(run: Run) -> list[tuple[int, bool, Path]]:
    """The files of mixed docs: round, and whether they were kept; those first."""
    assert run.folder is not None
    folder = RunFolder(run.folder)
    paths = [
        one
        for n in range(len(run.rounds))
        for one in ((n, True, folder.mixed(n)), (n, False, folder.rejected(n)))
    ]
    return [one for one in paths if one[2].exists()]


def _of_run(
    arm: Arm, run: Run, limit: int, opened: dict[str, tuple[Language, Pools]]
) -> Iterator[dict[str, Any]]:
    """opened (dict): a pipeline for each language, and the pools that were read with it."""
    files = _files(run)
    lang, pool = _inputs(run)
    nlp, pools = opened.setdefault(lang, (spacy.blank(lang), {}))
    assert run.folder is not None
    queried = [number for one in run.rounds for number in one.queried]
    paths = [Path(line) for line in pool.splitlines()]
    labelled = by_key(labelled_docs(RunFolder(run.folder), queried, paths, nlp, pools))
    for number, kept, path in files:
        parents = labelled | _own_parents(run, number, nlp)
        docs = read_docs(path, nlp, need_entities=False)
        for doc in docs[: max(1, limit // len(files))]:
            origin = get_origin(doc)
            if origin is None:
                continue
            keys = parent_keys(doc)
            yield {
                "missing": sum(key not in parents for key in keys),
                "arm": arm.name,
                "seed": run.seed,
                "round": number,
                "perplexity": _finite(origin.perplexity),
                "nats": _finite(origin.window_nats),
                "verdict": _verdict(origin, kept),
                "child": {"tokens": list(_tokens(doc, origin))},
                "parents": [
                    {"html": _entities(parents[key]), "share": _share(origin, key)}
                    for key in keys
                    if key in parents
                ],
            }


def _verdict(origin: Origin, kept: bool) -> str:
    if origin.perplexity is None:
        return "not judged"
    return "kept" if kept else "rejected"


def _finite(value: float | None) -> float | None:
    """The number, or None where it is not finite: JSON has no other numbers."""
    return value if value is not None and isfinite(value) else None


def _share(origin: Origin, key: str) -> float:
    """The weight of the target, or of another parent, in the first segment that has some of it."""
    if key == origin.target:
        return round(origin.parts[0].weight, 3)
    weight = next(part.weight for part in origin.parts if part.other == key)
    return round(1.0 - weight, 3)


def _entities(doc: Doc) -> str:
    """A doc as displaCy shows it."""
    if not doc.ents:
        return f"<div class='entities'>{html.escape(doc.text)}</div>"
    # displaCy escapes text, but not labels.
    ents = [
        {"start": ent.start_char, "end": ent.end_char, "label": html.escape(ent.label_)}
        for ent in doc.ents
    ]
    shown = {"text": doc.text, "ents": ents, "title": None}
    return str(displacy.render(shown, style="ent", minify=True, jupyter=False, manual=True))


def _tokens(doc: Doc, origin: Origin) -> Iterator[dict[str, Any]]:
    """What the page needs to know of each token."""
    places = {i for part in origin.parts for i in range(part.start, part.end)}
    recipe = recipes.get(doc)
    partners = dict(zip(recipe.tokens, recipe.partners, strict=True)) if recipe else {}
    layer = ENTS if origin.layer == RELATIONS else origin.layer
    soft = soft_labels.of(doc, layer)
    tags = soft_labels.hard_tags(doc, layer)
    for token, row, tag in zip(doc, soft.probs, tags, strict=True):
        one: dict[str, Any] = {"text": token.text, "space": bool(token.whitespace_), "tag": tag}
        if token.i in places:
            one["mixed"] = True
        if token.i in partners:
            one["with"] = partners[token.i] or "[padding]"
        shares = [(label, float(p)) for label, p in zip(soft.labels, row, strict=True) if p > SHOWN]
        if len(shares) > 1:
            one["shares"] = [[t, round(p, 3)] for t, p in sorted(shares, key=lambda s: -s[1])]
        yield one


def _inputs(run: Run) -> tuple[str, str]:
    """The language of a run, and the paths of its pool on lines; "xx" and "" without a config."""
    assert run.folder is not None
    try:
        config = spacy.util.load_config(RunFolder(run.folder).config, interpolate=True)
        pool = config["active"]["pool"]
        return str(config["nlp"]["lang"]), pool if isinstance(pool, str) else "\n".join(pool)
    except (*CONFIG_ERRORS, KeyError, TypeError):
        return "xx", ""


def _own_parents(run: Run, number: int, nlp: Language) -> dict[str, Doc]:
    """Docs with a model's labels that a round mixed; no pool has them with these labels."""
    assert run.folder is not None
    path = RunFolder(run.folder).parents(number)
    return by_key(read_docs(path, nlp, need_entities=False)) if path.exists() else {}
