"""Pools of Parquet files: a run asks and learns the same as of lines of JSON."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalogue import REGISTRY
from spacy.util import registry

from spacy_seqmix.active.run_folder import RunFolder
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.report.parents import labelled_docs
from spacy_seqmix.sweep.estimate import count_docs
from spacy_seqmix.types import Answer


@pytest.fixture
def pools(tmp_path: Path, all_news) -> dict[str, str]:
    """The same texts by the kind of their files: one of lines, two of Parquet."""
    folder = tmp_path / "texts"
    folder.mkdir()
    rows = [{"text": doc.text, "source": i} for i, doc in enumerate(all_news[:22])]
    rows[5:5] = [{"text": "", "source": -1}]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "texts.jsonl").write_text(lines, "utf8")
    pq.write_table(pa.Table.from_pylist(rows[:9]), folder / "a.parquet", row_group_size=4)
    pq.write_table(pa.Table.from_pylist(rows[9:]), folder / "b.parquet")
    return {"jsonl": str(tmp_path / "texts.jsonl"), "parquet": str(folder)}


@pytest.fixture
def oracle(all_news):
    """Knows the labels of each text."""
    labelled = {doc.text: doc for doc in all_news}

    def answers(tasks):
        return [Answer(task.key, labelled[task.doc.text]) for task in tasks]

    registry.misc("knows.v1")(lambda: answers)
    yield {"@misc": "knows.v1"}
    REGISTRY.pop(("spacy", "misc", "knows.v1"))


def journal_of(folder: Path) -> list[str]:
    """The lines of a journal, without what a clock or a process says."""
    clocks = r'"[a-z_]*(?:seconds|memory)[a-z_]*": ?(?:\{[^}]*\}|[^,}]*),? ?'
    return [
        re.sub(clocks, "", line) for line in (folder / "journal.jsonl").read_text().splitlines()
    ]


@pytest.mark.parametrize("mixing", [False, True])
def test_loop_learns_the_same_of_parquet(start, pools, oracle, tmp_path, mixing):
    values = {"active.n_rounds": 1} if mixing else {"active.n_rounds": 1, "active.mixing": None}
    for name, pool in pools.items():
        start({**values, "active.pool": pool, "active.oracle": oracle}, name).run()
    found = {name: journal_of(tmp_path / name) for name in pools}
    assert len(found["parquet"]) == 2
    assert found["parquet"] == found["jsonl"]
    asked = {name: (tmp_path / name / "answers.jsonl").read_text("utf8") for name in pools}
    keys = {name: [json.loads(line)["key"] for line in asked[name].splitlines()] for name in pools}
    assert keys["parquet"] == keys["jsonl"]
    assert len(keys["jsonl"]) == 12


def test_loop_of_a_gold_oracle_needs_docs(start, pools):
    with pytest.raises(SeqMixError, match=r"S431.*a\.parquet"):
        start({"active.pool": pools["parquet"]})


def test_other_commands_read_pools_of_parquet(pools, blank_en, tmp_path):
    """A report looks up parents in the pool, an estimate counts texts."""
    folder, numbers = RunFolder(tmp_path / "none"), range(23)
    found = {
        name: [d.text for d in labelled_docs(folder, numbers, [Path(pool)], blank_en, {})]
        for name, pool in pools.items()
    }
    assert len(found["parquet"]) == 22
    assert found["parquet"] == found["jsonl"]
    files = sorted(Path(pools["parquet"]).iterdir())
    assert sum(map(count_docs, files)) == count_docs(Path(pools["jsonl"])) == 23
