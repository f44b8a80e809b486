"""Calibrate a discriminator: score a corpus, and mixed docs, and propose ranges."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from tqdm import tqdm

from ..docbin import read_docs
from ..errors import Errors, Warnings
from ..mixing.origin import get_origin
from ..mixing.strategies import SubSequence
from ..models.judge import PerplexityDiscriminator, Range
from .ranges import propose, share
from .scores import Item, Scores, corpus_items, mixed_items, score

__all__ = ["Calibration", "calibrate"]

# Fewer values than this beyond a quantile say little about where it lies.
FEW = 5


@dataclass(frozen=True, eq=False)
class Calibration:
    """The distributions of a corpus and of mixed docs, and the ranges that they suggest.

    model (str): the language model, as it was named.
    revision, commit (str | None): as asked for on the hub, and what that is, where known.
    precision (str): "float32" or "bfloat16".
    unit (str): what was scored, "doc" or "sentence".
    asked (tuple[float, float]): the quantiles of the range.
    sizes (tuple[int, ...]): the lengths of windows.
    corpus (Scores): of the corpus.
    mixed (Scores | None): of mixed docs.
    perplexity (Range): proposed for the perplexity.
    window_nats (Range | None): proposed for windows; None where the corpus has none.
    """

    model: str
    revision: str | None
    commit: str | None
    precision: str
    unit: str
    asked: tuple[float, float]
    sizes: tuple[int, ...]
    corpus: Scores
    mixed: Scores | None
    perplexity: Range
    window_nats: Range | None

    def kept(self) -> dict[str, dict[str, float]]:
        """The shares that the proposed ranges keep, of the corpus and of the mixed docs: by
        perplexity, by nats in the window, and of mixed docs by both."""
        out = {"corpus": {"perplexity": share(self.perplexity.holds(v) for v in self.corpus.known)}}
        mixed = self.mixed
        if mixed is not None:
            whole = [self.perplexity.holds(v) for v in mixed.perplexities]
            out["mixed"] = {"perplexity": share(whole)}
        if self.window_nats is not None:
            out["corpus"]["window_nats"] = share(map(self.window_nats.holds, self.corpus.nats))
        if self.window_nats is not None and mixed is not None:
            inside = [self.window_nats.holds(v) for v in mixed.nats]
            both = [a and b for a, b in zip(whole, inside, strict=True)]
            out["mixed"] |= {"window_nats": share(inside), "both": share(both)}
        return out


def calibrate(
    judge: PerplexityDiscriminator,
    in_path: Path,
    mixed_path: Path | None = None,
    *,
    asked: tuple[float, float] = (0.05, 0.95),
    window: int | None = None,
    density: float | None = None,
    limit: int = 0,
    lang: str = "en",
    progress: bool = False,
) -> Calibration:
    """Find the ranges between two quantiles of what real text scores.

    judge (PerplexityDiscriminator): its language model and its unit are used, its ranges are not.
    in_path (Path): a .spacy file of docs that are not mixed. Labels are needed for windows only.
    mixed_path (Path | None): a .spacy file of mixed docs, best made without a discriminator.
    asked (tuple[float, float]): the quantiles, in [0, 1].
    window (int | None): the length of windows; None for that of the mixed docs' windows, or
        without these for the default of ``SubSequence``.
    density (float | None): η0; None for the default of ``SubSequence``.
    limit (int): docs to draw from each file, always the same ones; 0 for all.
    lang (str): the language of the docs.
    progress (bool): show progress bars.
    RETURNS (Calibration): distributions and proposed ranges. Warnings tell if the docs are few
        (W312), or have no windows (W313).
    RAISES (ValueError): S403 for unusable files, S516 for quantiles that are none, S517 where
        nothing has a text, S518 where no doc is mixed, S519 for unknown sentences.
    RAISES (OSError, ValueError): as ``CausalLM.load``.
    """
    if not 0 <= asked[0] < asked[1] <= 1:
        raise ValueError(Errors.E516.format(quantiles=f"{asked[0]:g},{asked[1]:g}"))
    nlp = spacy.blank(lang)
    docs = _drawn(read_docs(in_path, nlp, need_entities=False), limit)
    mixed_docs = [] if mixed_path is None else _drawn(_read_mixed(mixed_path, nlp), limit)
    usual = SubSequence()
    origins = [origin for doc in mixed_docs if (origin := get_origin(doc)) is not None]
    sizes = {window} if window else {o.end - o.start for o in origins} or {usual.window}
    density = usual.density if density is None else density
    # Whatever is wrong with the docs shows before the model is loaded.
    items = list(corpus_items(docs, judge.unit, sizes, density))
    mixed_texts = list(mixed_items(mixed_docs, judge.unit))
    lm = judge.lm
    corpus = _score(in_path, items, judge, progress)
    mixed = _score(mixed_path, mixed_texts, judge, progress) if mixed_path is not None else None
    if not len(corpus.known):
        raise ValueError(Errors.E517.format(path=in_path))
    _warn_if_few(len(corpus.known), f"{judge.unit}s", asked, in_path)
    window_nats = None
    if len(corpus.nats):
        _warn_if_few(len(corpus.nats), "windows", (0.0, asked[1]), in_path)
        window_nats = Range(0.0, propose(corpus.nats, *asked).high)
    else:
        lengths = " or ".join(map(str, sorted(sizes)))
        warnings.warn(Warnings.W313.format(path=in_path, lengths=lengths), stacklevel=2)
    return Calibration(
        model=judge.model,
        revision=judge.revision,
        commit=getattr(lm.model.config, "_commit_hash", None),
        precision=lm.precision(judge.dtype),
        unit=judge.unit,
        asked=asked,
        sizes=tuple(sorted(sizes)),
        corpus=corpus,
        mixed=mixed,
        perplexity=propose(corpus.known, *asked),
        window_nats=window_nats,
    )


def _read_mixed(path: Path, nlp: Language) -> list[Doc]:
    """The mixed docs of a file, which may hold originals too."""
    docs = read_docs(path, nlp, need_entities=False)
    mixed = [doc for doc in docs if get_origin(doc) is not None]
    if not mixed:
        raise ValueError(Errors.E518.format(path=path))
    return mixed


def _drawn(docs: list[Doc], limit: int) -> list[Doc]:
    if not 0 < limit < len(docs):
        return docs
    numbers = np.random.default_rng(0).choice(len(docs), limit, replace=False)
    return [docs[i] for i in sorted(numbers)]


def _score(
    path: Path, items: Sequence[Item], judge: PerplexityDiscriminator, progress: bool
) -> Scores:
    with tqdm(total=len(items), desc=path.name, leave=False, disable=not progress) as bar:
        return score(path.name, items, judge, bar.update)


def _warn_if_few(n: int, what: str, asked: tuple[float, float], path: Path) -> None:
    beyond = [n * share for share in (asked[0], 1.0 - asked[1]) if share > 0]
    if beyond and min(beyond) < FEW:
        values = {"low": f"{asked[0]:g}", "high": f"{asked[1]:g}", "n": n, "what": what}
        warnings.warn(Warnings.W312.format(path=path, **values), stacklevel=3)
