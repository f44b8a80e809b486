"""``seqmix_discriminator``: the perplexity of docs and sentences as a pipeline component."""

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from spacy import util
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc
from spacy.training import Example

from ..annotation.extensions import register_extensions
from ..errors import Errors, SeqMixError, SeqMixFileError, Warnings
from ..files import parse_json
from ..lm.discriminator import PerplexityDiscriminator
from ..lm.files import files_of, load_files, load_folder
from ..lm.scores import perplexity
from ..lm.settings import LMSettings, takes_lm_settings
from ..lm.spans import text_of
from ..model_names import first_available, is_local
from ..types import Verdict
from .labels import annotate_in_batches

# float32, since in bfloat16 a perplexity changes by some percent with the other texts of a batch.
DEFAULTS = LMSettings(dtype="float32")


class DocScores(NamedTuple):
    """The result of ``predict``: the verdict of a doc, and the perplexities of its sentences."""

    verdict: Verdict
    sentences: list[float] | None


@Language.factory(
    "seqmix_discriminator",
    assigns=["doc._.perplexity", "doc._.plausible", "span._.perplexity"],
    default_config={**DEFAULTS.as_config(), "sentences": False, "save_weights": False},
)
@takes_lm_settings
def make_seqmix_discriminator(
    nlp: Language, name: str, sentences: bool, save_weights: bool, settings: LMSettings
) -> "SeqMixDiscriminator":
    """Construct a ``seqmix_discriminator``. See ``SeqMixDiscriminator`` for the arguments."""
    return SeqMixDiscriminator(name, settings, sentences=sentences, save_weights=save_weights)


class SeqMixDiscriminator(Pipe):
    """A component that sets each doc's perplexity under a causal language model.

    ``doc._.perplexity`` (float) is Eq. 9 of SeqMix, ``doc._.plausible`` (bool) Eq. 10. A doc
    without text has the perplexity nan and is not plausible. With ``sentences``, each sentence
    has its own ``span._.perplexity``, scored by itself, so that it compares with those of docs.

    All settings are in the pipeline's config, so that overrides apply when it is loaded. Only the
    name of the model of saved weights is saved as well.
    """

    def __init__(
        self,
        name: str = "seqmix_discriminator",
        settings: LMSettings = DEFAULTS,
        *,
        sentences: bool = False,
        save_weights: bool = False,
    ) -> None:
        """Create the component; the language model is loaded at its first use.

        name (str): the component's name.
        settings (LMSettings): the language model and the plausible range.
        sentences (bool): score each sentence too.
        save_weights (bool): keep the language model's weights in the pipeline's own folder.
        """
        self.name = name
        self.sentences = sentences
        self.save_weights = save_weights
        self.discriminator = PerplexityDiscriminator(settings)
        register_extensions()

    @property
    def settings(self) -> LMSettings:
        """The language model and the plausible range."""
        return self.discriminator.settings

    def __call__(self, doc: Doc) -> Doc:
        """Score one doc. Raises as ``predict``."""
        self._annotate([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Score a stream of docs; those of a batch that fails go to the error handler.

        stream (Iterable[Doc]): the docs.
        batch_size (int): docs to gather, among which the language model's batches are sorted.
        YIELDS (Doc): the docs in order.
        """
        yield from annotate_in_batches(self, stream, batch_size, self._annotate)

    def _annotate(self, docs: list[Doc]) -> None:
        self.set_annotations(docs, self.predict(docs))

    def predict(self, docs: Sequence[Doc]) -> list[DocScores]:
        """Score docs without changing them.

        docs (Sequence[Doc]): the docs.
        RETURNS (list[DocScores]): one for each doc.
        RAISES (SeqMixError): as ``CausalLM.load``; S310 if a doc has no sentence boundaries and
            sentences are to be scored.
        """
        if self.sentences:
            self._require_sentences(docs)
        verdicts = self.discriminator(docs)
        if not self.sentences:
            return [DocScores(verdict, None) for verdict in verdicts]
        sents = [list(doc.sents) if len(doc) else [] for doc in docs]
        # The only sentence of a doc is the doc, whose score is known.
        texts = [text_of(sent) for spans in sents if len(spans) > 1 for sent in spans]
        scores = iter(self.discriminator.score(texts))
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

        RAISES (SeqMixError): as ``CausalLM.load``.
        """
        _ = self.discriminator.lm

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the language model to a folder if ``save_weights``, and which one it is.

        Without the weights, a path as its name causes a warning (W314).

        exclude (Iterable[str]): "cfg" or "model".
        """
        writers: dict[str, Callable[[Path], Any]] = {
            "cfg": lambda file: file.write_text(json.dumps(self._origin()), encoding="utf8")
        }
        if self.save_weights:
            writers["model"] = lambda folder: self.discriminator.lm.save(folder)
        elif is_local(self.settings.model):
            text = Warnings.W314.format(name=self.name, model=self.settings.model)
            warnings.warn(text, stacklevel=2)
        util.to_disk(path, writers, exclude)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "SeqMixDiscriminator":
        """Load the weights that ``to_disk`` wrote, if they are those of the model in the config.

        RAISES (SeqMixError): as ``CausalLM.load`` for saved weights; S316 or S317 if a model
            without saved weights can't be used here.
        """
        origin: dict[str, Any] = {}
        folder = Path(path, "model")
        if Path(path, "cfg").is_file():
            origin.update(parse_json(Path(path, "cfg").read_bytes()))
        if "model" not in exclude and folder.is_dir() and self._is_own(origin):
            self.discriminator.lm = load_folder(folder, self.settings)
        else:
            self._require_model()
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The language model's files if ``save_weights``, and which one it is, as bytes."""
        writers: dict[str, Callable[[], Any]] = {"cfg": self._origin}
        if self.save_weights:
            writers["model"] = lambda: files_of(self.discriminator.lm)
        return bytes(util.to_bytes(writers, exclude))

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "SeqMixDiscriminator":
        """Read what ``to_bytes`` returned; otherwise as ``from_disk``."""
        origin: dict[str, Any] = {}
        files: dict[str, bytes] = {}
        readers: dict[str, Callable[[Any], Any]] = {"cfg": origin.update, "model": files.update}
        util.from_bytes(data, readers, exclude)
        if files and self._is_own(origin):
            self.discriminator.lm = load_files(files, self.settings)
        else:
            self._require_model()
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # To other processes: a model is loaded there by its name, but weights that belong to the
        # pipeline travel with it, as their origin may be gone.
        carried = self.save_weights and self.discriminator.is_loaded
        files = files_of(self.discriminator.lm) if carried else {}
        return _unpickled, (self.name, vars(self), files)

    def _require_sentences(self, docs: Iterable[Doc]) -> None:
        for doc in docs:
            if len(doc) and not doc.has_annotation("SENT_START"):
                raise SeqMixError(Errors.E310.format(name=self.name, text=doc.text[:80]))

    def _origin(self) -> dict[str, Any]:
        """Which model the saved weights are of."""
        return {"model": self.settings.model, "revision": self.settings.revision}

    def _is_own(self, origin: dict[str, Any]) -> bool:
        return self.save_weights and origin == self._origin()

    def _require_model(self) -> None:
        """Find out now, not at the first doc, whether the language model is available.

        RAISES (SeqMixFileError): S316 if it is not, S317 if its format can't be read.
        """
        values = {"name": self.name, "model": self.settings.model}
        try:
            place = first_available(self.settings.model, check=True)
        except SeqMixFileError as err:
            raise SeqMixFileError(Errors.E316.format(**values)) from err
        if place.lower().endswith(".gguf") and not (find_spec("gguf") and find_spec("accelerate")):
            raise SeqMixFileError(Errors.E317.format(**values))


def _unpickled(name: str, state: dict[str, Any], files: dict[str, bytes]) -> SeqMixDiscriminator:
    pipe = SeqMixDiscriminator(name)
    vars(pipe).update(state)
    if files:
        pipe.discriminator.lm = load_files(files, pipe.settings)
    return pipe
