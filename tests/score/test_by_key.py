"""Scores by the keys of their texts."""

import json

import pytest

from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.score.by_key import ScoresByKey, read_scores

PAIRS = [
    ("3-ffffffffff", 1.0),
    ("3-0000000000", -2.0),
    ("0-0123456789", 0.25),
    ("12-00000000ab", 0.75),
]


def test_scores_by_key_are_a_mapping():
    scores = ScoresByKey(PAIRS)
    assert {key: scores[key] for key in dict(PAIRS)} == dict(PAIRS)
    assert dict(scores) == dict(PAIRS)
    for other in ("3-aaaaaaaaaa", "4-0000000000", "", "3", "3-FFFFFFFFFF", "12-00000000abc"):
        assert other not in scores
        assert scores.get(other) is None
    assert not ScoresByKey([])
    assert "3-ffffffffff" not in ScoresByKey([])


@pytest.mark.parametrize(
    "row",
    [
        {"key": "one", "score": 1.0},
        {"key": "1-00000000", "score": 1.0},
        {"key": "1-0000000000", "score": "high"},
        {"key": "1-0000000000", "score": [1.0]},
        {"score": 1.0},
        ["1-0000000000", 1.0],
    ],
)
def test_scores_of_other_rows_are_refused(tmp_path, row):
    (tmp_path / "score.json").write_text("{}")
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "00001-of-00001.jsonl").write_text(json.dumps(row))
    with pytest.raises(SeqMixError, match=r"S767.*00001-of-00001\.jsonl"):
        read_scores(tmp_path)
