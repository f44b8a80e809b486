"""The component ``seqmix_tagger``: spaCy's tagger, which also learns from soft tags."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.pipeline.tagger import DEFAULT_TAGGER_MODEL, Tagger
from spacy.tokens import Doc
from spacy.training import Example, validate_examples
from thinc.api import Model
from thinc.types import Floats2d

from ..annotation.alignment import aligned
from ..annotation.layers import TAGS
from ..models.interpolation_layers import check_recipes
from ..models.tagger_head import INDEPENDENT
from .labels import have_recipes, soft_loss


@Language.factory(
    "seqmix_tagger",
    assigns=["token.tag"],
    default_config={
        "model": DEFAULT_TAGGER_MODEL,
        "overwrite": False,
        "scorer": {"@scorers": "spacy.tagger_scorer.v1"},
    },
    default_score_weights={"tag_acc": 1.0},
)
def make_seqmix_tagger(
    nlp: Language,
    name: str,
    model: Model[list[Doc], list[Floats2d]],
    overwrite: bool,
    scorer: Callable[..., dict[str, Any]] | None,
) -> "SeqMixTagger":
    """Construct a ``seqmix_tagger`` component. See ``SeqMixTagger`` for the arguments."""
    return SeqMixTagger(nlp.vocab, model, name, overwrite=overwrite, scorer=scorer)


class SeqMixTagger(Tagger):  # type: ignore[misc]
    """Part-of-speech tagging as by spaCy's ``tagger``, whose models and settings it takes.

    Where a doc has soft labels of the layer "tags", the loss is the cross-entropy against them.
    """

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Initialise like spaCy's tagger; warns with W224 if recipes would be ignored."""
        super().initialize(get_examples, nlp=nlp, labels=labels)
        if nlp is not None and have_recipes(islice(get_examples(), 10)):
            check_recipes(nlp)

    def get_loss(
        self, examples: Iterable[Example], scores: Sequence[Floats2d]
    ) -> tuple[float, list[Floats2d]]:
        """Cross-entropy −Σ y log p of soft rows, its gradient p − y; missing tags do not count.

        RETURNS (tuple): the loss in nats, summed, and what the model's backprop takes.
        RAISES (ValueError): spaCy's E910 when the loss is not a number.
        """
        examples = list(examples)
        validate_examples(examples, "SeqMixTagger.get_loss")
        rows = (aligned(eg, self.labels, TAGS) for eg in examples)
        return soft_loss(self, INDEPENDENT, scores, rows)

    # spaCy's tagger saves "overwrite" with its labels, and its saved value overrides the config.

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> "SeqMixTagger":
        """Load labels and weights from bytes; settings stay those of the config."""
        overwrite = self.cfg["overwrite"]
        super().from_bytes(bytes_data, exclude=exclude)
        self.cfg["overwrite"] = overwrite
        return self

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "SeqMixTagger":
        """Load labels and weights from a folder; settings stay those of the config."""
        overwrite = self.cfg["overwrite"]
        super().from_disk(path, exclude=exclude)
        self.cfg["overwrite"] = overwrite
        return self
