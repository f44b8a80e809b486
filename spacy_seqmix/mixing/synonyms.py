"""SMix of SegMix (2023): words are mixed with their synonyms, and keep their labels."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from spacy.tokens import Doc, Token

from ..annotation.layers import ENTS
from ..errors import Errors, SeqMixError, SeqMixFileError
from ..types import MixPlan, Segment
from .pairs import shuffled
from .segment_pool import Draw, Partner, Tokens, draw_plans
from .segments import ChoosingStrategy, Chosen
from .token_table import Query, cased_like, word_shape
from .vectors import BuiltTable, TableBuilder

# Returns the synonyms of a word that are single words, the best first.
Lexicon: TypeAlias = Callable[[Token], Sequence[str]]
# Docs to mix -> lexicon.
LexiconBuilder: TypeAlias = Callable[[Sequence[Doc]], Lexicon]

POS = {"NOUN": "n", "VERB": "v", "ADJ": "a", "ADV": "r"}


@dataclass(frozen=True)
class SynonymSegments(ChoosingStrategy):
    """See ``make_synonym``."""

    lexicon: LexiconBuilder
    choose: Tokens
    draw: Draw
    both_ways: bool = False
    keeps_labels = True

    def __call__(self, docs: Sequence[Doc], rng: np.random.Generator) -> Iterator[MixPlan]:
        """Yield plans; no word gets the same synonym twice. All docs come equally often."""
        lookup = self.lexicon(docs)

        def deck(number: int, chosen: Chosen) -> Iterator[Partner]:
            synonyms = lookup(docs[number][chosen.start])
            segment = Segment(number, chosen.start, chosen.end)
            for k in shuffled(len(synonyms), rng):
                yield segment, (synonyms[k],)

        own = [self.choose(doc) for doc in docs]
        yield from draw_plans(own, deck, self.draw, self.layer, rng)


@dataclass(frozen=True)
class WordNet:
    """See ``make_wordnet``."""

    path: Path | None
    n: int

    def __call__(self, docs: Sequence[Doc]) -> Lexicon:
        """Look up the words of these docs."""
        reader = _load_wordnet(self.path)
        # Stop words have none: "in" is also a chemical element.
        words = {_entry(token) for doc in docs for token in doc if not token.is_stop}
        known = {entry: _synonyms(reader, *entry)[: self.n] for entry in words}
        for file in vars(reader).get("_data_file_map", {}).values():
            file.close()  # NLTK leaves them open
        return lambda token: known.get(_entry(token), ())


@dataclass(frozen=True)
class TableNeighbours:
    """See ``make_table_neighbours``."""

    table: TableBuilder
    n: int
    same_shape: bool

    def __call__(self, docs: Sequence[Doc]) -> Lexicon:
        """Build the table of these docs' words."""
        built = self.table(docs, (), None)
        known: dict[str, list[str]] = {}

        def lookup(token: Token) -> Sequence[str]:
            if token.text not in known:
                known[token.text] = self._neighbours(built, token.text)
            return known[token.text]

        return lookup

    def _neighbours(self, built: BuiltTable, word: str) -> list[str]:
        row = built.table.number.get(word)
        if row is None:
            return []
        vectors = built.table.vectors[row : row + 1]
        shapes = ((word_shape(word),),) if self.same_shape else ()
        neighbours: list[str] = []
        for _ in range(self.n):
            (best,) = built.table.nearest([Query(vectors, frozenset([word, *neighbours]), shapes)])
            neighbours += best
        return neighbours


def make_synonym(
    lexicon: LexiconBuilder,
    outside: bool = True,
    segments: int = 1,
    alpha: float = 8.0,
    fold: bool = False,
    layer: str = ENTS,
) -> SynonymSegments:
    """Create the synonym strategy, SMix: a word is mixed with a synonym, and keeps its label.

    lexicon (Callable): the source of synonyms, "spacy-seqmix.WordNet.v1" or
        "spacy-seqmix.TableNeighbours.v1".
    outside (bool): include words with the tag "O", not only those in entities.
    segments (int): the most words of a doc that are mixed; 0 for all that have a synonym.
    alpha (float): α of λ ~ Beta(α, α), the share of the doc's own word.
    fold (bool): use the larger of λ and 1 − λ.
    layer (str): "ents", "tags" or "spans:KEY".
    RETURNS (SynonymSegments): a Strategy.
    RAISES (SeqMixError): S210 for values out of range, S217 for an unknown layer.
    """
    draw = Draw(segments, alpha, fold)
    return SynonymSegments(lexicon, Tokens(False, outside, layer), draw)


def make_wordnet(path: Path | None = None, n: int = 5) -> WordNet:
    """Create a lexicon over WordNet (Fellbaum 1998), read by NLTK.

    A word has the synonyms of all its senses, or of those with its part of speech where that is
    known (``token.pos_``). Names of several words are left out, and so are synonyms of an inflected
    word, since they would be in their base form. Stop words have no synonyms.

    path (Path | None): a folder of NLTK data, with WordNet's files in corpora/wordnet; None for
        NLTK's own folders. "python -m nltk.downloader wordnet" installs the files there.
    n (int): the most synonyms of a word, those of frequent senses first.
    RETURNS (WordNet): docs to mix -> lexicon.
    RAISES (SeqMixError): S210 for n below 1; when a word is first looked up, S261 without NLTK and
        S262 (SeqMixFileError) without the data.
    """
    return WordNet(path, _check_n(n))


def make_table_neighbours(
    table: TableBuilder, n: int = 5, same_shape: bool = True
) -> TableNeighbours:
    """Create a lexicon of the words nearest in a token table, for languages without a WordNet.

    Near words are often of the same kind rather than of the same meaning.

    table (Callable): a token table, for example "spacy-seqmix.WordTable.v1".
    n (int): the number of neighbours of a word.
    same_shape (bool): prefer words with the same shape (capitals, digits).
    RETURNS (TableNeighbours): docs to mix -> lexicon.
    RAISES (SeqMixError): S210 for n below 1.
    """
    return TableNeighbours(table, _check_n(n), same_shape)


def _check_n(n: int) -> int:
    if n < 1:
        raise SeqMixError(Errors.E210.format(what="n >= 1", value=n))
    return n


def _load_wordnet(path: Path | None) -> Any:
    try:
        from nltk import data
        from nltk.corpus.reader.wordnet import WordNetCorpusReader
    except ImportError:
        raise SeqMixError(Errors.E261) from None
    if path is not None and str(path) not in data.path:
        data.path.append(str(path))  # NLTK opens no file outside these folders
    try:
        root = data.find("corpora/wordnet", None if path is None else [str(path)])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The multilingual functions", UserWarning)
            return WordNetCorpusReader(root, None)
    except (LookupError, OSError) as err:
        raise SeqMixFileError(
            Errors.E262.format(path=path or "NLTK's data", reason=_first(err))
        ) from None


def _first(err: Exception) -> str:
    lines = [line.strip(" *") for line in str(err).splitlines() if line.strip(" *")]
    return lines[0] if lines else type(err).__name__


def _entry(token: Token) -> tuple[str, str | None]:
    """The key of a look-up: a word, and WordNet's name of its part of speech."""
    return token.text, POS.get(token.pos_)


def _synonyms(reader: Any, word: str, pos: str | None) -> list[str]:
    """The single-word synonyms of a word; none if WordNet does not have this form of it."""
    lemmas: dict[str, None] = {}
    for sense in reader.synsets(word, pos=pos):
        names = sense.lemma_names()
        if word.lower() in (name.lower() for name in names):
            lemmas.update(dict.fromkeys(name for name in names if "_" not in name))
    like = [cased_like(name, word) for name in lemmas if name.lower() != word.lower()]
    return list(dict.fromkeys(like))
