"""``seqmix_discriminator``: the perplexity of docs and sentences as a pipeline component."""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spacy import util
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc
from spacy.training import Example

from ..errors import Errors
from ..extensions import register_extensions
from ..models.judge import PerplexityDiscriminator, text_of
from ..models.nlls import perplexity
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
        "dtype": "auto",
        "start_token": None,
        "save_weights": False,
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
    dtype: str,
    start_token: str | None,
    save_weights: bool,
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
        dtype=dtype,
        start_token=start_token,
        save_weights=save_weights,
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
        dtype: str = "auto",
        start_token: str | None = None,
        save_weights: bool = False,
    ) -> None:
        """Create the component; the language model is loaded at its first use.

        name (str): the component's name.
        model, revision (str, str | None): a causal LM: a name on the Hugging Face hub, a folder,
            or a ``.gguf`` file; branch, tag or commit on the hub.
        min_perplexity, max_perplexity (float, float | None): the plausible range; None: no limit.
        sentences (bool): score each sentence too.
        batch_size (int): the most texts that the language model scores at a time.
        dtype (str): "float32", "bfloat16", or "auto": bfloat16 where it changes no decision.
        start_token (str | None): see ``CausalLM.load``.
        save_weights (bool): keep the language model's weights in the pipeline's own folder.
        RAISES (ValueError): for a negative or inverted range, an unknown dtype, an empty batch.
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
            dtype=dtype,
            start_token=start_token,
        )
        register_extensions()

    @property
    def cfg(self) -> dict[str, Any]:
        """The settings, as the config has them."""
        return {
            "model": self.judge.model,
            "revision": self.judge.revision,
            "min_perplexity": self.judge.perplexity.low,
            "max_perplexity": self.judge.perplexity.high,
            "sentences": self.sentences,
            "batch_size": self.judge.batch_size,
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
        util.from_disk(path, {"cfg": lambda file: self._restore(_read_json(file))}, exclude)
        if self.save_weights:
            util.from_disk(path, {"model": self._load_weights}, exclude)
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The settings, and the language model's files if ``save_weights``, as bytes."""
        writers: dict[str, Callable[[], Any]] = {"cfg": lambda: self.cfg}
        if self.save_weights:
            writers["model"] = self._weight_files
        return bytes(util.to_bytes(writers, exclude))

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "SeqMixDiscriminator":
        """Read what ``to_bytes`` gave; the model's name is treated as in ``from_disk``."""
        files: dict[str, bytes] = {}
        readers: dict[str, Callable[[Any], Any]] = {"cfg": self._restore, "model": files.update}
        util.from_bytes(data, readers, exclude)
        if files:
            with tempfile.TemporaryDirectory() as folder:
                for file, content in files.items():
                    Path(folder, file).write_bytes(content)
                self._load_weights(folder)
        return self

    def _require_sentences(self, docs: Iterable[Doc]) -> None:
        for doc in docs:
            if len(doc) and not doc.has_annotation("SENT_START"):
                raise ValueError(Errors.E310.format(name=self.name, text=doc.text[:80]))

    def _restore(self, cfg: dict[str, Any]) -> None:
        if (self.judge.model, self.judge.revision) != (DEFAULT_MODEL, None):
            cfg = {**cfg, "model": self.judge.model, "revision": self.judge.revision}
        SeqMixDiscriminator.__init__(self, self.name, **cfg)

    def _load_weights(self, folder: str | Path) -> None:
        from ..models.causal_lm import CausalLM

        self.judge.lm = CausalLM.load(str(folder), start_token=self.judge.start_token)

    def _weight_files(self) -> dict[str, bytes]:
        with tempfile.TemporaryDirectory() as folder:
            self.judge.lm.save(folder)
            return {p.name: p.read_bytes() for p in Path(folder).iterdir() if p.is_file()}


def _read_json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf8")))
