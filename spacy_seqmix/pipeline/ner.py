"""The component ``seqmix_ner``: named entities from soft labels."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

from spacy import util
from spacy.language import Language
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model, Optimizer, set_dropout_rate
from thinc.types import Floats2d

from ..annotation import soft_labels
from ..annotation.alignment import aligned
from ..annotation.iob import forbidden_tags, spans_of, tag_names
from ..annotation.whitespace import rows_of_words, tags_of_tokens
from ..errors import Errors, SeqMixError, Warnings
from ..models.interpolation_layers import check_recipes
from ..models.soft_tagger import TOK2VEC, set_output_size
from ..models.tagger_head import TagProbs, entity_spans, head_of, normalised, tag_probs
from ..types import Floats1d, SoftLabels
from .labels import LabelledPipe, have_recipes, initialize_model, soft_loss, used_labels

DEFAULT_MODEL = Config().from_str(
    f"""
[model]
@architectures = "spacy-seqmix.SoftTagger.v1"
{TOK2VEC}
"""
)["model"]


@Language.factory(
    "seqmix_ner",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type"],
    default_config={
        "model": DEFAULT_MODEL,
        "store_probs": False,
        "scorer": {"@scorers": "spacy.ner_scorer.v1"},
    },
    default_score_weights={"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None},
)
def make_seqmix_ner(
    nlp: Language,
    name: str,
    model: Model[list[Doc], list[Floats2d]],
    store_probs: bool,
    scorer: Callable[..., dict[str, Any]] | None,
) -> "SeqMixNER":
    """Construct a ``seqmix_ner`` component. See ``SeqMixNER`` for the arguments."""
    return SeqMixNER(nlp.vocab, model, name, store_probs=store_probs, scorer=scorer)


class SeqMixNER(LabelledPipe):
    """Named entity recognition as token classification that can train on soft labels.

    Entities are decoded by Viterbi over valid IOB2 sequences. Entities that the doc already has are
    kept, and predicted ones never overlap them.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model[list[Doc], list[Floats2d]],
        name: str = "seqmix_ner",
        *,
        store_probs: bool = False,
        scorer: Callable[..., dict[str, Any]] | None = get_ner_prf,
    ) -> None:
        """Initialise the component.

        vocab (Vocab): the shared vocabulary.
        model (Model[list[Doc], list[Floats2d]]): token vectors to probabilities over IOB2 tags.
        name (str): the component's name, used in the losses.
        store_probs (bool): store each token's probabilities in ``doc._.token_probs``.
        scorer (Callable | None): the scoring method; spaCy's NER scorer by default.
        """
        self.vocab = vocab
        self.model = model
        self.name = name
        self.cfg: dict[str, Any] = {"labels": []}
        self.store_probs = store_probs
        self.scorer = scorer
        self._rehearsal_model: Model[list[Doc], list[Floats2d]] | None = None
        self._unknown: set[str] = set()

    @property
    def tags(self) -> tuple[str, ...]:
        """The L IOB2 tags: the columns of what ``predict`` returns."""
        return tag_names(self.labels)

    columns = tags

    def add_label(self, label: str) -> int:
        """Add a label; a trained output layer grows by its two tags.

        RETURNS (int): 0 if the label was there already, otherwise 1.
        RAISES (SeqMixError): S572 for a label that begins with "!", once spaCy's notation of what
            an entity is not; its ``ner`` refuses it too.
        """
        self._refuse_negated([label])
        return super().add_label(label)

    def predict(self, docs: Iterable[Doc]) -> TagProbs:
        """The probabilities of each token's tags; the docs are not changed.

        RETURNS (TagProbs): a sequence with one array (n_tokens, L) a doc, on the model's device.
        """
        docs = list(docs)
        if not any(len(doc) for doc in docs):
            none = [self.model.ops.alloc2f(0, len(self.tags)) for _ in docs]
            return tag_probs(self.model, none, docs)
        return _predicted(self.model, docs)

    def set_annotations(self, docs: Sequence[Doc], scores: Sequence[Floats2d]) -> None:
        """Decode probabilities and write entities (and, with ``store_probs``, the probabilities).

        docs (Sequence[Doc]): the docs to change.
        scores (Sequence[Floats2d]): what ``predict`` returned.
        """
        if isinstance(docs, Doc):
            docs = [docs]
        tags = self.tags
        probs = tag_probs(self.model, scores, docs)
        forbidden = [
            forbidden_tags(doc, words, len(tags))
            for doc, words in zip(docs, probs.words, strict=True)
        ]
        paths = head_of(self.model).decode(probs.scores, forbidden)
        for i, (doc, path) in enumerate(zip(docs, paths, strict=True)):
            if len(doc):
                of_tokens = tags_of_tokens(path, probs.words[i], len(doc))
                spans = spans_of([tags[k] for k in of_tokens])
                new = [Span(doc, start, end, label=label) for start, end, label in spans]
                doc.set_ents([*doc.ents, *new], default="unmodified")
                unset = [doc[t.i : t.i + 1] for t in doc if t.ent_iob_ == ""]
                if unset:
                    doc.set_ents([], outside=unset, default="unmodified")
            if self.store_probs:
                stored = self.model.ops.to_numpy(probs[i])  # type: ignore[no-untyped-call]
                soft_labels.put_token_probs(doc, SoftLabels(tags, stored))

    def path_probs(self, docs: Iterable[Doc]) -> Floats1d:
        """The probability of each doc's best valid tag sequence, P(y* given x) in SeqMix, Eq. 1.

        A softmax gives the product of the decoded tags' probabilities, a CRF exp(score) / Z. The
        docs are not changed; entities that they have already are ignored.

        RETURNS (Floats1d): one value a doc, 1.0 where it has no tokens.
        """
        docs = list(docs)
        probs = tag_probs(self.model, self.predict(docs), docs)
        return head_of(self.model).path_probs(probs.scores)

    def span_probs(self, docs: Iterable[Doc]) -> list[Floats1d]:
        """The confidence in each entity of docs that the pipeline has annotated.

        That is the model's probability of B-X on the first token of the entity, I-X on its other
        tokens, and not I-X after them, summed over the tags of all other tokens: for a CRF over
        valid tag sequences, for a softmax over all sequences.

        RETURNS (list[Floats1d]): one value for each of ``doc.ents``; NaN where the label is not
            one of the component's.
        """
        docs = list(docs)
        spans = entity_spans(docs, self.labels)
        probs = tag_probs(self.model, self.predict(docs), docs)
        return head_of(self.model).span_probs(probs.scores, spans)

    def get_loss(
        self, examples: Iterable[Example], scores: Sequence[Floats2d]
    ) -> tuple[float, list[Floats2d]]:
        """Cross-entropy of soft rows, summed over the batch's annotated tokens, and its gradient.

        For a softmax with rows y and probabilities p, the loss is −Σ y log p and the gradient
        p − y (the layer below leaves out the derivative of the softmax). Missing rows do not count.

        RETURNS (tuple): the loss in nats, and what the model's backprop takes.
        RAISES (ValueError): spaCy's E910 when the loss is not a number.
        """
        examples = list(examples)
        probs = tag_probs(self.model, scores, [eg.predicted for eg in examples])
        rows = zip(map(self._rows, examples), probs.words, strict=True)
        of_words = (rows_of_words(array, words) for array, words in rows)
        loss, gradient = soft_loss(self, head_of(self.model), probs.scores, of_words)
        return loss, self._of_tokens(gradient, probs)

    def rehearse(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Train towards the predictions that the model made before training was resumed."""
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        docs = [eg.predicted for eg in examples]
        if self._rehearsal_model is None or not any(len(doc) for doc in docs):
            return losses
        set_dropout_rate(self.model, drop)
        scores, backprop = self.model.begin_update(docs)
        probs, wanted = tag_probs(self.model, scores, docs), _predicted(self._rehearsal_model, docs)
        loss, gradient = head_of(self.model).loss(probs.scores, wanted.scores)
        backprop(self._of_tokens(gradient, probs))
        if sgd:
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

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
        labels (Sequence[str] | None): entity labels, as ``spacy init labels`` writes them; by
            default those of the sample's entities and soft labels.
        RAISES (SeqMixError): S201 without labels, S571 if the model is made for other components,
            S572 for labels that begin with "!".
        """
        validate_get_examples(get_examples, "SeqMixNER.initialize")
        util.check_lexeme_norms(self.vocab, self.name)  # type: ignore[no-untyped-call]
        if labels is None:
            # Sorted: the columns must not change from run to run.
            labels = sorted({label for eg in get_examples() for label in used_labels(eg)})
        for label in labels:
            self.add_label(label)
        if not self.labels:
            raise SeqMixError(Errors.E201.format(name=self.name))
        sample = list(islice(get_examples(), 10))
        if nlp is not None and have_recipes(sample):
            check_recipes(nlp)
        docs = [eg.predicted for eg in sample]
        rows = [self._rows(eg) for eg in sample]

        def initialize() -> None:
            set_output_size(self.model, len(self.tags))
            self.model.initialize(X=docs, Y=[self.model.ops.asarray2f(array) for array in rows])

        sizes = [len(doc) for doc in docs]
        example = "spacy-seqmix.SoftTagger.v1"
        initialize_model(self, initialize, docs, sizes, len(self.tags), example)

    def _rows(self, eg: Example) -> Any:
        """Target rows over the columns; warns (W201) once of each unknown label."""
        used = used_labels(eg)
        self._refuse_negated(used)
        self.warn_of_unknown(used, Warnings.W201)
        return aligned(eg, self.tags)

    def _refuse_negated(self, labels: Iterable[str]) -> None:
        for label in labels:
            if isinstance(label, str) and label.startswith("!"):
                raise SeqMixError(Errors.E572.format(name=self.name, label=label))

    def _of_tokens(self, gradient: list[Floats2d], probs: TagProbs) -> list[Floats2d]:
        """The gradient of the words' scores as one of all tokens' scores: 0 for whitespace.

        The list stays the head's own, which may carry more than the arrays.
        """
        for i, (d, words, size) in enumerate(zip(gradient, probs.words, probs.sizes, strict=True)):
            if len(words) < size:
                of_all: Any = self.model.ops.alloc2f(size, d.shape[1])
                of_all[words] = d
                gradient[i] = of_all
        return gradient


def _predicted(model: Model[list[Doc], list[Floats2d]], docs: list[Doc]) -> TagProbs:
    """The predictions of a model; with the default head they are normalised, though the last layer
    may leave the softmax out."""
    scores = model.predict(docs)
    if "head" not in model.attrs:
        scores = [normalised(model, array) for array in scores]
    return tag_probs(model, scores, docs)
