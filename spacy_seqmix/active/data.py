"""The docs that [active] names, read and checked."""

from pathlib import Path
from typing import NamedTuple

from spacy.language import Language
from spacy.tokens import Doc

from ..docbin import read_docs
from ..errors import Errors, SeqMixError
from .annotation import GoldLabels, entity_labels
from .asked import ActiveConfig
from .pool import Pool, check_size, file_digest, make_pool, sample

# The fields that name files of docs.
FILES = ("pool", "dev", "test", "unlabelled")
# Of random numbers, beside the streams of the loop.
STREAM = 6


class Data(NamedTuple):
    """The docs of a run; ``unlabelled`` without annotation that anyone looks at."""

    pool: Pool
    dev: list[Doc]
    test: list[Doc] | None
    unlabelled: list[Doc]


def read_data(asked: ActiveConfig, nlp: Language, labels_of: GoldLabels) -> Data:
    """Read the files that a config names.

    nlp (Language): whose vocabulary the docs get.
    labels_of (GoldLabels): what the component learns of a doc.
    RAISES (SeqMixError): S403 to S405 for files that can't be used, S431 where nothing of what the
        component learns is annotated.
    """
    active = asked.active

    def labelled(path: Path) -> list[Doc]:
        docs = read_docs(path, nlp, need_entities=labels_of is entity_labels)
        if not any(labels_of(doc) for doc in docs):
            factory = asked.training["components"][active.component]["factory"]
            name = active.component
            raise SeqMixError(Errors.E431.format(path=path, name=name, factory=factory))
        return docs

    docs = labelled(active.pool)
    pool = make_pool(docs, active.pool_size, active.n_seed, active.seed, active.pool)
    dev, test = labelled(active.dev), labelled(active.test) if active.test else None
    return Data(pool, dev, test, _unlabelled(asked, nlp))


def digests(asked: ActiveConfig) -> dict[str, str]:
    """SHA-256 of each file that ``read_data`` reads, by the field that names it."""
    paths = {name: getattr(asked.active, name) for name in FILES}
    if not asked.of_pool:
        del paths["unlabelled"]
    return {name: file_digest(path) for name, path in paths.items() if path is not None}


def _unlabelled(asked: ActiveConfig, nlp: Language) -> list[Doc]:
    active = asked.active
    if active.unlabelled is None or not asked.of_pool:
        return []
    docs = read_docs(active.unlabelled, nlp, need_entities=False)
    size = active.unlabelled_size
    check_size(len(docs), size or 0, "unlabelled_size", active.unlabelled)
    return [docs[i] for i in sample(len(docs), size, [active.seed, STREAM])]
