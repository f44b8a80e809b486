"""The mixers of [active.mixing]: one, or several in sections of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

from ..errors import Errors, SeqMixError
from ..files import progress_bar
from ..mixing.mix import MixCounts, mix_docs
from ..mixing.mixer import Mixer


def make_mixers(mixing: Any) -> list[Mixer]:
    """Build the mixers of a resolved [active.mixing] section; none for null and for a rate of 0.

    mixing (Any): the arguments of a ``Mixer``, or such sections by name, which are taken in the
        order of their names; None for no mixing.
    RAISES (SeqMixError): S402 for what is no section, or has other arguments than a mixer, and the
        codes of ``Mixer``.
    """
    if mixing is None:
        return []
    if not isinstance(mixing, Mapping):
        raise SeqMixError(Errors.E402.format(problems=f"mixing: a section is wanted, not {mixing}"))
    if "strategy" in mixing or "realiser" in mixing:
        mixing = {"mixing": mixing}
    else:
        mixing = {f"mixing.{name}": section for name, section in sorted(mixing.items())}
    made = []
    for name, section in mixing.items():
        if not isinstance(section, Mapping):
            raise SeqMixError(Errors.E402.format(problems=f"{name}: a section is wanted"))
        if not section.get("rate", 1.0):
            continue
        if missing := [f"{name}.{k}" for k in ("strategy", "realiser") if section.get(k) is None]:
            problems = f"{', '.join(missing)}: give a registered function, @misc = ..."
            raise SeqMixError(Errors.E402.format(problems=problems))
        if unknown := sorted(section.keys() - signature(Mixer).parameters.keys()):
            problems = "; ".join(f"{name}.{field}: there is no such field" for field in unknown)
            raise SeqMixError(Errors.E402.format(problems=problems))
        made.append(Mixer(**section))
    return made


def mix_round(
    mixers: Sequence[Mixer],
    docs: Sequence[Doc],
    seed: Sequence[int],
    nlp: Language,
    *,
    corpus: Sequence[Doc],
    trained: Language | None,
    number: int,
    n_docs: int,
    progress: bool,
) -> tuple[list[Doc], MixCounts]:
    """What each mixer makes of the docs; none sees what another one made.

    seed (Sequence[int]): of the first mixer's generator; those of the others have their number
        behind it.
    number (int): of the round.
    n_docs (int): what rates are a share of. Other arguments as in ``mix_docs``.
    RETURNS (tuple): the mixed docs of all mixers, and their counts, summed; a doc is eligible
        where any of the mixers can use it.
    """
    total = sum(round(mixer.rate_at(number) * n_docs) for mixer in mixers)
    out: list[Doc] = []
    counts = MixCounts(docs=len(docs))
    with progress_bar(total, "Mixing", shown=progress) as bar:
        for k, mixer in enumerate(mixers):
            rng = np.random.default_rng([*seed, k] if k else seed)
            mixed, one = mix_docs(
                docs,
                mixer,
                rng,
                nlp,
                corpus=corpus,
                trained=trained,
                number=number,
                n_docs=n_docs,
                progress=bar.update,
            )
            out += mixed
            counts += one
    if len(mixers) > 1:  # a doc that several mixers can use is one doc
        counts.eligible = sum(any(m.strategy.eligible(doc) for m in mixers) for doc in docs)
    return out, counts
