"""The files of a pool: found, kept in order, and grown between rounds."""

import json
from pathlib import Path

import pytest
from catalogue import REGISTRY
from spacy.tokens import DocBin
from spacy.util import registry

from spacy_seqmix.active.dev_set import DevSet
from spacy_seqmix.active.pool_files import PoolFile, files_of, in_order
from spacy_seqmix.errors import SeqMixError

from .test_waiting import begin as begin  # fixtures
from .test_waiting import person as person
from .test_waiting import registered as registered

PLAIN = {"active.mixing": None, "active.n_rounds": 1}


@pytest.fixture
def folder(tmp_path):
    for name in (
        "b.txt",
        "a.jsonl",
        "more/c.spacy",
        "more/D.TXT",
        "x[1].txt",
        "note.md",
        "more/e.parquet",
    ):
        path = tmp_path / "texts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "texts"


@pytest.mark.parametrize(
    ("pool", "found"),
    [
        ("b.txt", ["b.txt"]),
        ("none.txt", ["none.txt"]),
        ("x[1].txt", ["x[1].txt"]),
        ("*.txt", ["b.txt", "x[1].txt"]),
        (
            "**/*.*",
            ["a.jsonl", "b.txt", "more/D.TXT", "more/c.spacy", "more/e.parquet", "x[1].txt"],
        ),
        (".", ["a.jsonl", "b.txt", "more/D.TXT", "more/c.spacy", "more/e.parquet", "x[1].txt"]),
        (["more", "?.txt", "b.txt"], ["more/D.TXT", "more/c.spacy", "more/e.parquet", "b.txt"]),
    ],
)
def test_pool_files_that_a_name_stands_for(folder, pool, found):
    paths = [folder / one for one in ([pool] if isinstance(pool, str) else pool)]
    assert [one.relative_to(folder).as_posix() for one in files_of(paths)] == found


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("note.md", "it is no .txt, .jsonl, .parquet or .spacy file"),
        ("*.csv", "there is no .txt, .jsonl, .parquet or .spacy file with such a name"),
        ("empty", "the folder has no .txt, .jsonl, .parquet or .spacy files"),
    ],
)
def test_pool_files_that_are_not_there(folder, name, reason):
    (folder / "empty").mkdir()
    with pytest.raises(SeqMixError, match=rf"S403.*{reason}"):
        files_of([folder / name])


def test_pool_files_are_not_those_of_the_output(folder):
    names = [[folder], [folder / "**/*.*"], [folder / "more/c.spacy", folder]]
    for pool, kept in zip(names, ((), (), ("more/c.spacy",)), strict=True):
        found = [path.relative_to(folder).as_posix() for path in files_of(pool, folder / "more")]
        assert found == [*kept, "a.jsonl", "b.txt", "x[1].txt"]


def test_pool_files_keep_their_order(folder):
    b, c = folder / "b.txt", folder / "more" / "c.spacy"
    known = [[PoolFile(str(c), "1")], [PoolFile(str(b), "2")]]
    assert in_order([b, c], known, folder) == [[c], [b]]
    new = folder / "a.jsonl"
    assert in_order([new, b, c], known, folder) == [[c], [b], [new]]
    with pytest.raises(SeqMixError, match=r"S760.*1 file missing \('.*b\.txt'\)"):
        in_order([c, new], known, folder)
    b.unlink()
    with pytest.raises(SeqMixError, match=r"S760.*1 file missing"):
        in_order([b, c], known, folder)
    assert in_order([b], [], folder) == [[b]]


def records_of(run):
    seconds = {"seconds", "seconds_mixing"}
    return [record.model_dump(exclude=seconds) for record in run.run()]


def cut(docs, folder: Path, *bounds: int) -> None:
    """Write docs in several files."""
    folder.mkdir(exist_ok=True)
    ends = [*bounds, len(docs)]
    for low, high in zip([0, *bounds], ends, strict=True):
        part = DocBin(docs=docs[low:high], store_user_data=True)
        part.to_disk(folder / f"{low:03d}.spacy")


@pytest.mark.parametrize("mixing", [False, True])
def test_loop_takes_the_same_docs_of_one_file_and_of_many(start, all_news, tmp_path, mixing):
    values = {"active.n_rounds": 1} if mixing else PLAIN
    expected = records_of(start(values, "whole"))
    cut(all_news[:22], tmp_path / "parts", 3, 4, 15)
    parts = {**values, "active.pool": str(tmp_path / "parts" / "*.spacy")}
    assert records_of(start(parts, "parts-run")) == expected


def test_loop_goes_on_with_a_pool_that_grew(start, all_news, tmp_path):
    folder, run_dir = tmp_path / "parts", tmp_path / "run"
    cut(all_news[:18], folder, 9)
    values = {**PLAIN, "active.pool": str(folder), "active.dev": None, "active.dev_share": 0.3}
    stopped = start({**values, "active.n_rounds": 3, "active.dev_min": 2})

    def one_round(run):
        run._round(len(run.records))

    with stopped.folder.lock():
        one_round(stopped)
    before = (run_dir / "inputs.json").read_text()
    first = stopped.dev.candidates
    # by its name the new file is the first one
    DocBin(docs=[*all_news[18:26], all_news[0]]).to_disk(folder / "000-more.spacy")
    run = start({**values, "active.n_rounds": 3, "active.dev_min": 2})
    assert run.records == stopped.records
    assert [len(ids) for ids in run.pool.generations] == [18, 9]
    assert run.pool.docs[18].text == all_news[18].text
    assert run.pool.docs[0].text == all_news[0].text
    # what was set aside stays aside, a copy of a text is on its side, and of the new ones some are
    assert run.dev.candidates[: len(first)] == first
    assert (26 in run.dev.candidates) == (0 in first)
    assert {i for i in run.dev.candidates if i >= 18} - {26}
    records = run.run()
    assert len(records) == 4
    assert any(i >= 18 for record in records[1:] for i in record.queried)
    assert records[0] == stopped.records[0]
    # another growth is another generation
    DocBin(docs=all_news[26:28]).to_disk(folder / "zzz.spacy")
    again = start({**values, "active.n_rounds": 3, "active.dev_min": 2})
    assert again.records == records
    assert again.pool.grown == (18, 27)
    assert again.dev.candidates[: len(run.dev.candidates)] == run.dev.candidates
    known = json.loads((run_dir / "inputs.json").read_text())["pool"]
    names = [[Path(path).name for path, _ in files] for files in known]
    assert names == [["000.spacy", "009.spacy"], ["000-more.spacy"], ["zzz.spacy"]]
    assert (
        json.loads(before)["config"] == json.loads((run_dir / "inputs.json").read_text())["config"]
    )


def test_loop_refuses_a_pool_that_changed(start, all_news, tmp_path):
    folder = tmp_path / "parts"
    cut(all_news[:22], folder, 9)
    values = {**PLAIN, "active.n_rounds": 0, "active.pool": str(folder)}
    start(values).run()
    content = (folder / "009.spacy").read_bytes()
    DocBin(docs=all_news[9:21]).to_disk(folder / "009.spacy")
    with pytest.raises(SeqMixError, match=r"S760.*1 file changed \('.*009\.spacy'\)"):
        start(values)
    (folder / "009.spacy").unlink()
    with pytest.raises(SeqMixError, match=r"S760.*1 file missing \('.*009\.spacy'\)"):
        start(values)
    (folder / "009.spacy").write_bytes(content)
    assert len(start(values).run()) == 1


def test_loop_refuses_a_sample_of_a_pool_that_grew(start, all_news, tmp_path):
    folder = tmp_path / "parts"
    cut(all_news[:22], folder)
    values = {**PLAIN, "active.n_rounds": 0, "active.pool": str(folder), "active.pool_size": 12}
    start(values).run()
    DocBin(docs=all_news[22:]).to_disk(folder / "more.spacy")
    with pytest.raises(SeqMixError, match=r"S762"):
        start(values)


def test_loop_goes_on_in_a_folder_of_an_older_version(start, tmp_path):
    records = start({**PLAIN, "active.n_rounds": 0}).run()
    path = tmp_path / "run" / "inputs.json"
    inputs = json.loads(path.read_text())
    ((file,),) = inputs["pool"]
    path.write_text(json.dumps({**inputs, "pool": [[[*file, 22]]]}))  # with its size
    assert start({**PLAIN, "active.n_rounds": 0}).run() == records
    inputs.pop("pool")
    inputs["sha256"]["pool"] = file[1]
    path.write_text(json.dumps(inputs))
    assert start({**PLAIN, "active.n_rounds": 0}).run() == records
    inputs["sha256"]["pool"] = "0"
    path.write_text(json.dumps(inputs))
    with pytest.raises(SeqMixError, match=r"S760.*pool\.spacy"):
        start({**PLAIN, "active.n_rounds": 0})


def test_loop_names_a_pool_file_that_changes_while_it_runs(start, all_news, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(doc.text for doc in all_news))
    values = {**PLAIN, "active.pool": str(path), "active.oracle": {"@misc": "none.v1"}}
    registry.misc("none.v1")(lambda: lambda tasks: [])
    try:
        run = start(values)
        path.write_text("x")
        with pytest.raises(SeqMixError, match=r"S761.*texts\.txt"):
            run.run()
    finally:
        REGISTRY.pop(("spacy", "misc", "none.v1"))
    assert not (tmp_path / "run" / "asked.jsonl").exists()


def test_dev_set_is_drawn_as_before_where_nothing_grew(start, tmp_path):
    run = start({**PLAIN, "active.dev": None})
    assert DevSet.of(run.active, None, run.pool).candidates == run.dev.candidates


@pytest.mark.parametrize("oracle", ["gold", "person"])
def test_loop_reads_each_file_a_few_times_a_round(start, begin, all_news, tmp_path, opened, oracle):
    """However many texts it asks: a .spacy file is read as a whole for each that stands alone."""
    for k in range(3):
        DocBin(docs=all_news[k::3][:7]).to_disk(tmp_path / f"part-{k}.spacy")
    settings = {**PLAIN, "paths.pool": str(tmp_path / "part-*.spacy")}
    run = start(settings) if oracle == "gold" else begin(settings)
    opened.clear()
    run._round(0)
    assert len(opened) <= 5 * 3
    opened.clear()
    run._round(1)
    assert len(opened) <= 5 * 3
    assert len(run.records[0].queried) == 8
    again = start(settings) if oracle == "gold" else begin(settings)
    opened.clear()
    again._read_state()
    again._read_state()
    assert len(opened) <= 3
