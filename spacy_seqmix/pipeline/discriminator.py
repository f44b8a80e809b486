"""``seqmix_discriminator``: the perplexity of docs and sentences as a pipeline component."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spacy import util
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc
from spacy.training import Example

from ..errors import Errors, SeqMixError
from ..extensions import register_extensions
from ..models.batches import MAX_BATCH_ITEMS
from ..models.judge import PerplexityDiscriminator
from ..models.lm_files import files_of, load_files, load_folder
from ..models.nlls import perplexity
from ..models.safety import as_names
from ..models.windows import text_of
from ..types import Verdict

DEFAULT_MODEL = "gpt2"


class DocScores(NamedTuple):
    """What ``predict`` finds: the doc's verdict, and perplexities of its sentences if asked."""

    verdict: Verdict
    sentences: list[float] | None


@Language.factory(
    "seqmix_discriminator",
    assigns=["doc._.perplexity", "doc._.plausible", "span._.perplexity"],
    default_config={
        "model": DEFAULT_MODEL,
        "revision": None,
        "min_perplexity": 0.0,
        "max_perplexity": 500.0,
        "sentences": False,
        "batch_size": 16,
        "max_batch_items": MAX_BATCH_ITEMS,
        "dtype": "auto",
        "start_token": None,
        "save_weights": False,
        "trust_remote_code": [],
    },
)
def make_seqmix_discriminator(
    nlp: Language,
    name: str,
    model: str,
    revision: str | None,
    min_perplexity: float,
    max_perplexity: float | None,
    sentences: bool,
    batch_size: int,
    max_batch_items: int,
    dtype: str,
    start_token: str | None,
    save_weights: bool,
    trust_remote_code: list[str],
) -> "SeqMixDiscriminator":
    """Construct a ``seqmix_discriminator``. See ``SeqMixDiscriminator`` for the arguments."""
    return SeqMixDiscriminator(
        name,
        model=model,
        revision=revision,
        min_perplexity=min_perplexity,
        max_perplexity=max_perplexity,
        sentences=sentences,
        batch_size=batch_size,
        max_batch_items=max_batch_items,
        dtype=dtype,
        start_token=start_token,
        save_weights=save_weights,
        trust_remote_code=trust_remote_code,
    )


class SeqMixDiscriminator(Pipe):
    """Sets each doc's perplexity under a causal language model, and whether it is plausible.

    ``doc._.perplexity`` (float) is Eq. 9 of SeqMix, ``doc._.plausible`` (bool) Eq. 10. A doc
    without text has the perplexity nan and is not plausible. With ``sentences``, each sentence
    has its own ``span._.perplexity``, scored by itself, so that it compares with those of docs.
    """

    def __init__(
        self,
        name: str = "seqmix_discriminator",
        *,
        model: str = DEFAULT_MODEL,
        revision: str | None = None,
        min_perplexity: float = 0.0,
        max_perplexity: float | None = 500.0,
        sentences: bool = False,
        batch_size: int = 16,
        max_batch_items: int = MAX_BATCH_ITEMS,
        dtype: str = "auto",
        start_token: str | None = None,
        save_weights: bool = False,
        trust_remote_code: Sequence[str] = (),
    ) -> None:
        """Create the component; the language model is loaded at its first use.

        name (str): the component's name.
        model, revision (str, str | None): a causal LM: a name on the Hugging Face hub, a folder,
            or a ``.gguf`` file; branch, tag or commit on the hub.
        min_perplexity, max_perplexity (float, float | None): the plausible range; None: no limit.
        sentences (bool): score each sentence too.
        batch_size (int): the most texts that the language model scores at a time.
        max_batch_items (int): the most tokens at a time, padding included; see ``token_nlls``.
        dtype (str): "float32", "bfloat16", or "auto": bfloat16 where it changes no decision.
        start_token (str | None): see ``CausalLM.load``.
        save_weights (bool): keep the language model's weights in the pipeline's own folder.
        trust_remote_code (Sequence[str]): names of models whose own Python code may run.
        RAISES (SeqMixError): for a negative or inverted range, an unknown dtype, an empty batch.
        """
        self.name = name
        self.sentences = sentences
        self.save_weights = save_weights
        self.judge = PerplexityDiscriminator(
            model=model,
            revision=revision,
            min_perplexity=min_perplexity,
            max_perplexity=max_perplexity,
            batch_size=batch_size,
            max_batch_items=max_batch_items,
            dtype=dtype,
            start_token=start_token,
            trust_remote_code=trust_remote_code,
        )
        register_extensions()

    @property
    def cfg(self) -> dict[str, Any]:
        """The settings, as the config has them. Whom to trust is not among them: that stands in
        the config alone, where it can be read, and not in what a component has stored."""
        return {
            "model": self.judge.model,
            "revision": self.judge.revision,
            "min_perplexity": self.judge.perplexity.low,
            "max_perplexity": self.judge.perplexity.high,
            "sentences": self.sentences,
            "batch_size": self.judge.batch_size,
            "max_batch_items": self.judge.max_batch_items,
            "dtype": self.judge.dtype,
            "start_token": self.judge.start_token,
            "save_weights": self.save_weights,
        }

    def __call__(self, doc: Doc) -> Doc:
        """Score one doc. Raises as ``predict``."""
        self.set_annotations([doc], self.predict([doc]))
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Score a stream of docs; those of a batch that fails go to the error handler.

        stream (Iterable[Doc]): the docs.
        batch_size (int): docs to gather, among which the language model's batches are sorted.
        YIELDS (Doc): the docs in order.
        """
        error_handler = self.get_error_handler()
        for docs in util.minibatch(stream, batch_size):  # type: ignore[no-untyped-call]
            try:
                self.set_annotations(docs, self.predict(docs))
            except Exception as err:
                error_handler(self.name, self, docs, err)
            else:
                yield from docs

    def predict(self, docs: Sequence[Doc]) -> list[DocScores]:
        """Score docs without changing them.

        docs (Sequence[Doc]): the docs.
        RETURNS (list[DocScores]): one for each doc.
        RAISES (OSError, ValueError): if the language model cannot be loaded; if sentences are to
            be scored and a doc has no sentence boundaries.
        """
        if self.sentences:
            self._require_sentences(docs)
        verdicts = self.judge(docs)
        if not self.sentences:
            return [DocScores(verdict, None) for verdict in verdicts]
        sents = [list(doc.sents) if len(doc) else [] for doc in docs]
        # The only sentence of a doc is the doc, whose score is known.
        texts = [text_of(sent) for spans in sents if len(spans) > 1 for sent in spans]
        scores = iter(self.judge.score(texts))
        return [
            DocScores(verdict, [perplexity(next(scores)) for _ in spans])
            if len(spans) > 1
            else DocScores(verdict, [verdict.perplexity] * len(spans))
            for verdict, spans in zip(verdicts, sents, strict=True)
        ]

    def set_annotations(self, docs: Iterable[Doc], scores: Iterable[DocScores]) -> None:
        """Set ``doc._.perplexity``, ``doc._.plausible`` and, if scored, ``span._.perplexity``.

        docs (Iterable[Doc]): the docs.
        scores (Iterable[DocScores]): what ``predict`` returned for them.
        """
        for doc, (verdict, sentences) in zip(docs, scores, strict=True):
            doc._.perplexity = verdict.perplexity
            doc._.plausible = verdict.keep
            if sentences:
                for sent, value in zip(doc.sents, sentences, strict=True):
                    sent._.perplexity = value

    def initialize(
        self, get_examples: Callable[[], Iterable[Example]], *, nlp: Language | None = None
    ) -> None:
        """Load the language model now, so that a wrong name shows before training starts.

        RAISES (OSError, ValueError): as ``CausalLM.load``.
        """
        _ = self.judge.lm

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the settings, and the language model if ``save_weights``, to a folder.

        exclude (Iterable[str]): "cfg" or "model".
        """
        # Not srsly's JSON: it gives 0.6 back as another number.
        writers: dict[str, Callable[[Path], Any]] = {
            "cfg": lambda file: file.write_text(json.dumps(self.cfg), encoding="utf8")
        }
        if self.save_weights:
            writers["model"] = lambda folder: self.judge.lm.save(folder)
        util.to_disk(path, writers, exclude)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "SeqMixDiscriminator":
        """Read what ``to_disk`` wrote.

        Saved weights are loaded from the folder. Without them, a model that the config names
        (any but the factory's default) wins over the stored name: it may lie elsewhere here.

        RAISES (OSError, ValueError): as ``CausalLM.load``, for saved weights.
        """
        util.from_disk(
            path, {"cfg": lambda file: self._restore(json.loads(file.read_text("utf8")))}, exclude
        )
        if self.save_weights:
            util.from_disk(path, {"model": self._load_folder}, exclude)
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The settings, and the language model's files if ``save_weights``, as bytes."""
        writers: dict[str, Callable[[], Any]] = {"cfg": lambda: self.cfg}
        if self.save_weights:
            writers["model"] = lambda: files_of(self.judge.lm)
        return bytes(util.to_bytes(writers, exclude))

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "SeqMixDiscriminator":
        """Read what ``to_bytes`` gave; the model's name is treated as in ``from_disk``."""
        files: dict[str, bytes] = {}
        readers: dict[str, Callable[[Any], Any]] = {"cfg": self._restore, "model": files.update}
        util.from_bytes(data, readers, exclude)
        if files:
            self._load_files(files)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # To other processes: a model is loaded there by its name, but weights that belong to the
        # pipeline travel with it, as their origin may be gone.
        carried = self.save_weights and self.judge.is_loaded
        return _unpickled, (self.name, vars(self), files_of(self.judge.lm) if carried else {})

    def _require_sentences(self, docs: Iterable[Doc]) -> None:
        for doc in docs:
            if len(doc) and not doc.has_annotation("SENT_START"):
                raise SeqMixError(Errors.E310.format(name=self.name, text=doc.text[:80]))

    def _restore(self, cfg: dict[str, Any]) -> None:
        if (self.judge.model, self.judge.revision) != (DEFAULT_MODEL, None):
            cfg = {**cfg, "model": self.judge.model, "revision": self.judge.revision}
        cfg = {**cfg, "trust_remote_code": self.judge.trust_remote_code}
        SeqMixDiscriminator.__init__(self, self.name, **cfg)

    def _load_folder(self, folder: Path) -> None:
        self.judge.lm = load_folder(folder, self.judge.start_token, self._trusted())

    def _load_files(self, files: dict[str, bytes]) -> None:
        self.judge.lm = load_files(files, self.judge.start_token, self._trusted())

    def _trusted(self) -> frozenset[str]:
        # Weights that were saved with the pipeline are those of the model that the config names.
        names = as_names(self.judge.trust_remote_code)
        return names if self.judge.model in names else frozenset()


def _unpickled(name: str, state: dict[str, Any], files: dict[str, bytes]) -> SeqMixDiscriminator:
    pipe = SeqMixDiscriminator(name)
    vars(pipe).update(state)
    if files:
        pipe._load_files(files)
    return pipe
