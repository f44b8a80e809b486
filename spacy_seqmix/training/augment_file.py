"""Mix a file of docs into another: what ``spacy seqmix augment`` calls."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from pydantic import BaseModel, ConfigDict, Field, InstanceOf, ValidationError
from thinc.api import Config

from ..annotation.docbins import read_docs, write_docs
from ..annotation.layers import ENTS
from ..config import Seed, build_functions, interpolated, named_paths, problems_of
from ..errors import Errors, SeqMixError
from ..files import check_output, progress_bar
from ..lm.remote import scored_by_workers
from ..mixing.mix import MixCounts, mix_docs
from ..mixing.mixer import MAX_RATE, Mixer
from ..parallel.workers import RayOptions
from ..types import Realiser

# The fields that are sections with a registered function.
FUNCTIONS = ("strategy", "realiser", "discriminator")


class AugmentSchema(BaseModel):
    """The [augment] section of a config."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    lang: str = Field("en", description="Language whose tokeniser must agree with mixed texts.")
    seed: Seed = Field(0, description="Of the pairs and of λ.")
    rate: float = Field(0.2, gt=0, le=MAX_RATE, description="r, mixed docs per doc of IN.")
    labels: str = Field("soft", description='"soft", or "hard" for the repaired annotation alone.')
    strategy: Callable[..., Any] = Field(description="Which segments are paired.")
    realiser: InstanceOf[Realiser] = Field(description="How mixed segments become words.")
    discriminator: Callable[..., Any] | None = Field(
        None, description="What keeps plausible docs; null keeps all."
    )


def augment_file(
    config: Config,
    in_path: Path,
    out_path: Path,
    *,
    with_originals: bool = False,
    progress: bool = False,
    ray: RayOptions | None = None,
) -> tuple[MixCounts, int]:
    """Write the docs mixed from a .spacy file to another.

    config (Config): with an [augment] section (``AugmentSchema``), not interpolated.
    in_path (Path): .spacy file of labelled docs.
    out_path (Path): .spacy file to write, with user data (soft labels, origins).
    with_originals (bool): write the docs of ``in_path`` first.
    progress (bool): show progress bars.
    ray (RayOptions | None): the Ray cluster whose workers have the language model.
    RETURNS (tuple): what happened, and how many mixed docs were written.
    RAISES (SeqMixError): S213 for a wrong section, S214 when no doc came out, S403 and S405 for
        unusable docs, S549 where the output is an input; with Ray, S770 to S775.
    """
    config = interpolated(config)
    check_output(out_path, [in_path, *named_paths(config)])
    section = config.get("augment")
    if not isinstance(section, dict):
        raise SeqMixError(Errors.E213.format(problems="the section itself is missing"))
    functions = build_functions(section, "augment", FUNCTIONS, Errors.E213)
    try:
        settings = AugmentSchema.model_validate({**section, **functions})
    except ValidationError as err:
        raise SeqMixError(Errors.E213.format(problems=problems_of(err, "augment"))) from None
    mixer = Mixer(**functions, rate=settings.rate, labels=settings.labels)
    nlp = spacy.blank(settings.lang)
    need_entities = mixer.strategy.layer == ENTS
    docs = read_docs(in_path, nlp, need_entities=need_entities, progress=progress)
    rng = np.random.default_rng(settings.seed)
    bar = progress_bar(round(settings.rate * len(docs)), "Mixing", shown=progress)
    with scored_by_workers([mixer.discriminator], ray), bar as shown:
        mixed, counts = mix_docs(docs, mixer, rng, nlp, progress=shown.update)
    if not mixed:
        raise SeqMixError(Errors.E214.format(docs=len(docs), path=in_path, rate=settings.rate))
    out = [*docs, *mixed] if with_originals else mixed
    write_docs(out, out_path)
    return counts, len(mixed)
