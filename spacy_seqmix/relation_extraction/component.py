"""The component ``seqmix_relations``: relations between entities, from soft labels."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from spacy import util
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Model, Optimizer, set_dropout_rate
from thinc.types import Floats2d

from ..annotation import relations
from ..annotation.relations import NONE, RelationLabels
from ..errors import Errors, SeqMixError, Warnings
from ..models.soft_tagger import set_output_size
from ..models.tagger_head import INDEPENDENT, normalised
from ..pipeline.labels import LabelledPipe, initialize_model, soft_loss
from .candidates import (
    CandidatePairs,
    aligned_ents,
    allowed,
    candidate_pairs,
    survey,
    target_rows,
    used_labels,
)
from .model import DEFAULT_MODEL, InT
from .scorer import score_relations


@Language.factory(
    "seqmix_relations",
    requires=["doc.ents"],
    assigns=["doc._.relations"],
    default_config={
        "model": DEFAULT_MODEL,
        "max_distance": 50,
        "threshold": None,
        "use_gold_ents": True,
        "known_types_only": False,
        "store_probs": False,
        "scorer": {"@scorers": "spacy-seqmix.relations_scorer.v1"},
    },
    default_score_weights={
        "rel_micro_f": 1.0,
        "rel_micro_p": 0.0,
        "rel_micro_r": 0.0,
        "rel_untyped_micro_p": None,
        "rel_untyped_micro_r": None,
        "rel_untyped_micro_f": None,
        "rel_macro_f": None,
        "rel_per_type": None,
    },
)
def make_seqmix_relations(
    nlp: Language,
    name: str,
    model: Model[InT, list[Floats2d]],
    max_distance: int,
    threshold: float | None,
    use_gold_ents: bool,
    known_types_only: bool,
    store_probs: bool,
    scorer: Callable[..., dict[str, Any]] | None,
) -> "SeqMixRelations":
    """Construct a ``seqmix_relations`` component. See ``SeqMixRelations`` for the arguments."""
    return SeqMixRelations(
        nlp.vocab,
        model,
        name,
        max_distance=max_distance,
        threshold=threshold,
        use_gold_ents=use_gold_ents,
        known_types_only=known_types_only,
        store_probs=store_probs,
        scorer=scorer,
    )


class SeqMixRelations(LabelledPipe):
    """Relation extraction as classification of entity pairs, which can train on soft labels.

    Every ordered pair of entities at most ``max_distance`` tokens apart is a candidate pair, with
    at most one label. The opposite direction is another candidate pair.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model[InT, list[Floats2d]],
        name: str = "seqmix_relations",
        *,
        max_distance: int = 50,
        threshold: float | None = None,
        use_gold_ents: bool = True,
        known_types_only: bool = False,
        store_probs: bool = False,
        scorer: Callable[..., dict[str, Any]] | None = score_relations,
    ) -> None:
        """Initialise the component.

        vocab (Vocab): the shared vocabulary.
        model (Model[tuple[list[Doc], list[CandidatePairs]], list[Floats2d]]): computes, for each
            pair, the probabilities of "no relation" and of each label.
        name (str): the component's name, used in the losses.
        max_distance (int): the most tokens between two entities.
        threshold (float | None): the least probability at which the best label of a pair is set;
            by default it is set where it is more probable than "no_relation".
        use_gold_ents (bool): train on pairs of the reference's entities, not on those of entities
            that the pipeline has set.
        known_types_only (bool): predict a label only between entities of types that it connects
            in the training corpus.
        store_probs (bool): store the probabilities of all pairs in ``doc._.relation_probs``.
        scorer (Callable | None): the scoring method.
        RAISES (SeqMixError): S257 for settings out of range.
        """
        if max_distance < 0 or not 0.0 <= (threshold or 0.0) <= 1.0:
            what = "a max_distance of 0 or more tokens and a threshold from 0 to 1 (or null)"
            value = (max_distance, threshold)
            raise SeqMixError(Errors.E257.format(name=name, what=what, value=value))
        self.vocab = vocab
        self.model = model
        self.name = name
        self.cfg: dict[str, Any] = {"labels": [], "kinds": []}
        self.max_distance = max_distance
        self.threshold = threshold
        self.use_gold_ents = use_gold_ents
        self.known_types_only = known_types_only
        self.store_probs = store_probs
        self.scorer = scorer
        self._unknown: set[str] = set()

    @property
    def columns(self) -> tuple[str, ...]:
        """The L columns of probabilities: "no_relation", then the labels."""
        return (NONE, *self.labels)

    def add_label(self, label: str) -> int:
        """Add a label; a trained output layer grows by it.

        RETURNS (int): 0 if the label was there already, otherwise 1.
        RAISES (SeqMixError): S258 for "no_relation".
        """
        if label in ("", NONE):
            raise SeqMixError(Errors.E258.format(label=label, name=self.name))
        return super().add_label(label)

    def predict(self, docs: Iterable[Doc]) -> list[RelationLabels]:
        """The probabilities of each doc's candidate pairs; the docs are not changed."""
        docs = list(docs)
        pairs = [candidate_pairs(doc.ents, self.max_distance) for doc in docs]
        if not any(map(len, pairs)):
            empty = np.zeros((0, len(self.columns)), dtype="float32")
            return [RelationLabels((), self.columns, empty) for _ in docs]
        kinds = {(head, label, tail) for head, label, tail in self.cfg["kinds"]}
        out = []
        for doc, of_doc, scores in zip(docs, pairs, self.model.predict((docs, pairs)), strict=True):
            probs = self.model.ops.to_numpy(normalised(self.model, scores))  # type: ignore[no-untyped-call]
            if self.known_types_only:
                probs = allowed(probs, of_doc, self.labels, kinds, doc.vocab)
            out.append(RelationLabels(of_doc.tuples(), self.columns, probs))
        return out

    def set_annotations(self, docs: Sequence[Doc], scores: Sequence[RelationLabels]) -> None:
        """Write relations, and with ``store_probs`` the probabilities of all candidate pairs.

        docs (Sequence[Doc]): the docs to change; their relations are replaced.
        scores (Sequence[RelationLabels]): what ``predict`` returned.
        """
        for doc, probs in zip(docs, scores, strict=True):
            relations.put(doc, relations.hard(probs, self.threshold))
            if self.store_probs:
                relations.put_probs(doc, probs)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch of examples.

        RETURNS (dict): the losses; this component's entry grows by the cross-entropy in nats,
            summed over the candidate pairs of annotated docs.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "SeqMixRelations.update")
        docs = [eg.predicted for eg in examples]
        if not any(map(len, docs)):
            return losses
        set_dropout_rate(self.model, drop)
        pairs = self._training_pairs(examples)
        scores, backprop = self.model.begin_update((docs, pairs))
        loss, gradient = self._loss(examples, pairs, scores)
        backprop(gradient)
        if sgd:
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def get_loss(
        self, examples: Iterable[Example], scores: Sequence[Floats2d]
    ) -> tuple[float, list[Floats2d]]:
        """Cross-entropy −Σ y log p of pairs with rows y, and its gradient p − y.

        Pairs of docs without annotation, and those with unknown labels, do not count.

        scores (Sequence[Floats2d]): one array (n_pairs, L) a doc, for the pairs that ``update``
            trains on.
        RETURNS (tuple): the loss in nats, and what the model's backprop takes.
        RAISES (ValueError): spaCy's E910 when the loss is not a number.
        """
        examples = list(examples)
        return self._loss(examples, self._training_pairs(examples), scores)

    def _loss(
        self, examples: list[Example], pairs: list[CandidatePairs], scores: Sequence[Floats2d]
    ) -> tuple[float, list[Floats2d]]:
        rows = [self._rows(*one) for one in zip(examples, pairs, strict=True)]
        return soft_loss(self, INDEPENDENT, scores, rows)

    def _training_pairs(self, examples: list[Example]) -> list[CandidatePairs]:
        """The candidate pairs of each example; none if the reference is not annotated."""
        gold = self.use_gold_ents
        if not gold and not any(eg.predicted.has_annotation("ENT_IOB") for eg in examples):
            raise SeqMixError(Errors.E256.format(name=self.name))
        out = []
        for eg in examples:
            ents = aligned_ents(eg) if gold else eg.predicted.ents
            known = relations.get(eg.reference) is not None
            out.append(candidate_pairs(ents if known else [], self.max_distance))
        return out

    def _rows(self, eg: Example, pairs: CandidatePairs) -> Any:
        """Target rows over the columns. Warns (W251) once of each unknown label."""
        self.warn_of_unknown(used_labels(eg), Warnings.W251)
        return target_rows(eg, pairs, self.columns)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Collect labels and set the sizes of the layers.

        get_examples (Callable): returns a representative sample of examples.
        nlp (Language | None): the pipeline that the component is part of.
        labels (Sequence[str] | None): labels of relations, as ``spacy init labels`` writes them;
            by default those of the sample's relations and soft labels.
        RAISES (SeqMixError): S253, S254, S255 if there is nothing to learn from, S571 if the model
            is made for other components.
        """
        validate_get_examples(get_examples, "SeqMixRelations.initialize")
        util.check_lexeme_norms(self.vocab, self.name)  # type: ignore[no-untyped-call]
        corpus = survey(get_examples(), self.name, self.max_distance)
        for label in labels if labels is not None else corpus.labels:
            self.add_label(label)
        if not self.labels:
            raise SeqMixError(Errors.E254.format(name=self.name))
        if self.known_types_only:
            self.cfg["kinds"] = [list(kind) for kind in sorted(corpus.kinds)]
        X = ([eg.predicted for eg in corpus.sample], corpus.pairs)  # noqa: N806

        def initialize() -> None:
            set_output_size(self.model, len(self.columns))
            self.model.initialize(X=X)

        sizes = [len(pairs) for pairs in corpus.pairs]
        example = "spacy-seqmix.PairClassifier.v1"
        initialize_model(self, initialize, X, sizes, len(self.columns), example)
