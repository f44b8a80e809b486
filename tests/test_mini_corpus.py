"""The mini corpus: valid markup, no sentence twice nor nearly twice, all types well represented."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import spacy

from spacy_seqmix.convert import parse_markup, read_brackets

FOLDER = Path(__file__).parents[1] / "assets" / "mini"
SPLITS = ("pool", "dev", "test")
LABELS = ("PER", "ORG", "LOC", "MISC")
MAX_OVERLAP = 0.35

Parsed = tuple[str, str, list[tuple[int, int, str]]]


@pytest.fixture(scope="module")
def sentences() -> list[Parsed]:
    """Split, text and entities of every sentence."""
    found: list[Parsed] = []
    for split in SPLITS:
        lines = (FOLDER / f"{split}.txt").read_text("utf8").split("\n")
        kept = [line for line in lines if line and not line.startswith("# ")]
        found += [(split, *parse_markup(line, labels=LABELS)) for line in kept]
    return found


def _frame(text: str, spans: list[tuple[int, int, str]]) -> str:
    """The sentence with labels for entities and 0 for digits, in lower case."""
    for start, end, label in reversed(spans):
        text = f"{text[:start]}{label}{text[end:]}"
    return re.sub(r"\d", "0", text).lower()


def _bigrams(frame: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", frame)
    return set(pairwise(words)) or {tuple(words)}


@pytest.mark.parametrize("split", SPLITS)
def test_mini_corpus_is_valid_markup(split: str) -> None:
    docs = list(read_brackets(FOLDER / f"{split}.txt", spacy.blank("en"), labels=LABELS))
    assert {ent.label_ for doc in docs for ent in doc.ents} == set(LABELS)
    assert not [doc.text for doc in docs if "  " in doc.text or doc.text != doc.text.strip()]


def test_mini_corpus_has_no_sentence_twice(sentences: list[Parsed]) -> None:
    counts = Counter(text for _, text, _ in sentences)
    assert [text for text, count in counts.items() if count > 1] == []


def test_mini_corpus_has_no_frame_twice(sentences: list[Parsed]) -> None:
    counts = Counter(_frame(text, spans) for _, text, spans in sentences)
    assert [frame for frame, count in counts.items() if count > 1] == []


def test_mini_corpus_has_no_near_duplicates(sentences: list[Parsed]) -> None:
    grams = [_bigrams(_frame(text, spans)) for _, text, spans in sentences]
    near = [
        (sentences[i][1], sentences[j][1])
        for i, left in enumerate(grams)
        for j, right in enumerate(grams[:i])
        if left & right and len(left & right) > MAX_OVERLAP * len(left | right)
    ]
    assert near == []


def test_mini_corpus_readme_has_the_right_counts(sentences: list[Parsed]) -> None:
    rows = []
    for split in SPLITS:
        text = (FOLDER / f"{split}.txt").read_text("utf8")
        spans = [s for name, _, s in sentences if name == split]
        kinds = Counter(label for s in spans for _, _, label in s)
        by_kind = [kinds[label] for label in ("PER", "LOC", "ORG", "MISC")]
        counts = [text.count("# article:"), len(spans), *by_kind, sum(not s for s in spans)]
        rows.append(f"| `{split}.txt` | {' | '.join(map(str, counts))} |")
    table = "\n".join(rows)
    readme = (FOLDER / "README.md").read_text("utf8")
    assert table in readme, f"the table should be\n{table}"
    assert readme.count(f"{len(sentences)} sentences of news-like English") == 1


def test_mini_corpus_counts(sentences: list[Parsed]) -> None:
    assert len(sentences) >= 700
    kinds = Counter(label for _, _, spans in sentences for _, _, label in spans)
    assert set(kinds) == set(LABELS)
    assert min(kinds.values()) >= 150, kinds
    without = sum(not spans for _, _, spans in sentences) / len(sentences)
    assert 0.15 <= without <= 0.30
