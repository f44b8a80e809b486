"""The component ``seqmix_tagger``: spaCy's tagger, which also learns from soft tags."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.pipeline.tagger import DEFAULT_TAGGER_MODEL, Tagger
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from thinc.api import Model
from thinc.types import Floats2d

from ..annotation import soft_labels
from ..annotation.alignment import aligned
from ..annotation.layers import TAGS
from ..errors import Errors, SeqMixError
from ..models.interpolation_layers import check_recipes
from ..models.tagger_head import INDEPENDENT
from .labels import SizedPipe, have_recipes, initialize_model, soft_loss

SETTINGS = ("overwrite", "neg_prefix", "label_smoothing")


@Language.factory(
    "seqmix_tagger",
    assigns=["token.tag"],
    default_config={
        "model": DEFAULT_TAGGER_MODEL,
        "overwrite": False,
        "neg_prefix": "!",
        "label_smoothing": 0.0,
        "scorer": {"@scorers": "spacy.tagger_scorer.v1"},
    },
    default_score_weights={"tag_acc": 1.0},
)
def make_seqmix_tagger(
    nlp: Language,
    name: str,
    model: Model[list[Doc], list[Floats2d]],
    overwrite: bool,
    neg_prefix: str,
    label_smoothing: float,
    scorer: Callable[..., dict[str, Any]] | None,
) -> "SeqMixTagger":
    """Construct a ``seqmix_tagger`` component; the arguments are those of spaCy's ``tagger``.

    RAISES (SeqMixError): S257 for a label smoothing out of range.
    """
    if not 0.0 <= label_smoothing < 1.0:
        values = {"what": "a label_smoothing from 0 to less than 1", "value": label_smoothing}
        raise SeqMixError(Errors.E257.format(name=name, **values))
    return SeqMixTagger(
        nlp.vocab,
        model,
        name,
        overwrite=overwrite,
        neg_prefix=neg_prefix,
        label_smoothing=label_smoothing,
        scorer=scorer,
    )


class SeqMixTagger(SizedPipe, Tagger):  # type: ignore[misc]
    """Part-of-speech tagging as by spaCy's ``tagger``, whose models and settings it takes.

    Where a doc has soft labels of the layer "tags", the loss is the cross-entropy against them.
    Where its tag is "!NN" (with ``neg_prefix``), all that is known is that it is not NN.
    """

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Initialise like spaCy's tagger, but without labels for negated tags.

        Warns with W224 if recipes would be ignored.

        RAISES (SeqMixError): S571 if the model is made for other components.
        """
        validate_get_examples(get_examples, "SeqMixTagger.initialize")
        if labels is None:
            tags = {token.tag_ for eg in get_examples() for token in eg.reference}
            labels = sorted(tag for tag in tags if tag and self._negated(tag) is None)
        for label in labels:
            self.add_label(label)
        self._require_labels()
        if nlp is not None and have_recipes(islice(get_examples(), 10)):
            check_recipes(nlp)
        docs = [eg.predicted for eg in islice(get_examples(), 10)]

        def initialize() -> None:
            if "head" in self.model.attrs:
                raise ValueError("it scores sequences of tags, not each token by itself")
            super(SeqMixTagger, self).initialize(get_examples, nlp=nlp, labels=self.labels)

        sizes = [len(doc) for doc in docs]
        initialize_model(self, initialize, docs, sizes, len(self.labels), "spacy.Tagger.v2")

    def get_loss(
        self, examples: Iterable[Example], scores: Sequence[Floats2d]
    ) -> tuple[float, list[Floats2d]]:
        """Cross-entropy −Σ y log p of soft rows, its gradient p − y; missing tags do not count.

        Of a negated tag k, y is p without k, so that the gradient is that of −log(1 − p_k).

        RETURNS (tuple): the loss in nats, summed, and what the model's backprop takes.
        RAISES (ValueError): spaCy's E910 when the loss is not a number.
        """
        examples = list(examples)
        validate_examples(examples, "SeqMixTagger.get_loss")
        rows = [self._rows(*one) for one in zip(examples, scores, strict=True)]
        return soft_loss(self, INDEPENDENT, scores, rows)

    def _rows(self, eg: Example, scores: Floats2d) -> Any:
        """Target rows over the labels."""
        rows = aligned(eg, self.labels, TAGS)
        soft = soft_labels.get(eg.reference)
        if soft is not None and soft.layer == TAGS:
            return rows
        smoothing, others = self.cfg["label_smoothing"], max(len(self.labels) - 1, 1)
        known = rows.sum(axis=1) > 0
        rows[known] = rows[known] * (1.0 - smoothing) + (1.0 - rows[known]) * smoothing / others
        for i, tag in enumerate(eg.get_aligned("TAG", as_string=True)):
            negated = self._negated(tag or "")
            if negated in self.labels and not known[i]:
                rows[i] = self.model.ops.to_numpy(scores[i])
                rows[i, self.labels.index(negated)] = 0.0
                rows[i] /= max(float(rows[i].sum()), 1e-30)
        return rows

    def _negated(self, tag: str) -> str | None:
        """The tag that is negated; None where the tag is not a negative annotation."""
        prefix = self.cfg["neg_prefix"]
        return tag.removeprefix(prefix) if prefix and tag.startswith(prefix) else None

    # spaCy's tagger saves settings with its labels, and the saved values override the config.

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> "SeqMixTagger":
        """Load labels and weights from bytes; settings stay those of the config."""
        settings = {key: self.cfg[key] for key in SETTINGS}
        super().from_bytes(bytes_data, exclude=exclude)
        self.cfg.update(settings)
        return self

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "SeqMixTagger":
        """Load labels and weights from a folder; settings stay those of the config."""
        settings = {key: self.cfg[key] for key in SETTINGS}
        super().from_disk(path, exclude=exclude)
        self.cfg.update(settings)
        return self
