"""Scores of a pool: by shards, resumed, cut into files, with texts that fail."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import spacy
from spacy.language import Language
from spacy.matcher import Matcher
from spacy.tokens import Doc, DocBin
from typer.testing import CliRunner

from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.annotation.lazy_docs import lazy_docs
from spacy_seqmix.annotation.texts import KEY, task_key
from spacy_seqmix.cli import app
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.lm.causal_lm import CausalLM
from spacy_seqmix.query.by_name import policy_of
from spacy_seqmix.query.policies import QueryPolicy, evidence
from spacy_seqmix.query.suggestions import suggest
from spacy_seqmix.score import run as score_run
from spacy_seqmix.score.by_key import read_scores
from spacy_seqmix.score.folder import ScoreFolder, Share, read_share, release
from spacy_seqmix.score.run import ids_of, score_pool
from spacy_seqmix.score.scorer import Part, Scorer, Wanted

from ..tiny import TINY_CNN


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory, all_news: list[Doc]) -> Path:
    """A pipeline that has learnt nothing: its probabilities differ from text to text."""
    nlp = spacy.blank("en")
    model = {"@architectures": "spacy-seqmix.SoftTagger.v1", "tok2vec": TINY_CNN}
    nlp.add_pipe("seqmix_ner", config={"model": model})
    spacy.util.fix_random_seed(0)
    examples = [spacy.training.Example(nlp.make_doc(doc.text), doc) for doc in all_news]
    nlp.initialize(lambda: examples)
    path = tmp_path_factory.mktemp("score") / "model"
    nlp.to_disk(path)
    return path


@pytest.fixture
def texts(tmp_path: Path, all_news: list[Doc]) -> Path:
    path = tmp_path / "texts.txt"
    path.write_text("\n\n".join(doc.text for doc in all_news), "utf8")
    return path


def rows_of(out: Path) -> list[dict[str, object]]:
    paths = sorted((out / "shards").glob("*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text("utf8").splitlines()]


def contents(out: Path) -> dict[str, bytes]:
    paths = [path for path in out.rglob("*") if path.is_file()]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in paths}


def test_score_is_what_a_query_computes(pipeline, texts, tmp_path, tiny_lm_dir):
    wanted = Wanted(str(pipeline), None, "TagCount", str(tiny_lm_dir), spans=True, docs=True)
    run = score_pool(wanted, [texts], tmp_path / "out", n_shards=1, top=3, progress=False)
    assert (run.texts, run.shards, run.new, run.done, run.failed) == (30, 1, 1, 1, ())
    assert run.component == "seqmix_ner"
    nlp = spacy.load(pipeline)
    lines = texts.read_text("utf8").split("\n")
    numbers = [i for i, line in enumerate(lines) if line]
    docs = [nlp.make_doc(lines[i]) for i in numbers]
    policy = policy_of("TagCount")
    found = policy(evidence("entities", nlp, "seqmix_ner", docs), np.random.default_rng(0))
    rows = rows_of(tmp_path / "out")
    assert [row["key"] for row in rows] == [task_key(i, lines[i]) for i in numbers]
    assert [row["score"] for row in rows] == found.tolist()
    assert [row["tokens"] for row in rows] == [len(doc) for doc in docs]
    lm = CausalLM.load(str(tiny_lm_dir), dtype="float32")
    nlls = [one.nlls.mean(dtype="float64") for one in lm.token_nlls([doc.text for doc in docs])]
    assert [row["perplexity"] for row in rows] == pytest.approx(np.exp(nlls).tolist(), rel=1e-5)
    for row, doc, spans in zip(rows, docs, suggest(nlp, "seqmix_ner", docs), strict=True):
        shown = [(doc.text[one["start"] : one["end"]], one["label"]) for one in row["spans"]]
        assert shown == [(doc[one.start : one.end].text, one.label) for one in spans]
        assert [one["confidence"] for one in row["spans"]] == [one.confidence for one in spans]
    assert any(row["spans"] for row in rows)
    path = tmp_path / "out" / "docs" / "00001-of-00001.spacy"
    labelled = list(DocBin().from_disk(path).get_docs(Language().vocab))
    assert [doc.user_data[KEY] for doc in labelled] == [row["key"] for row in rows]
    assert all(soft_labels.get(doc) is not None for doc in labelled)
    best = [json.loads(line) for line in run.top.read_text("utf8").splitlines()]
    order = np.argsort(-found, kind="stable")[:3].tolist()
    assert [one["text"] for one in best] == [docs[i].text for i in order]
    assert [one["score"] for one in best] == found[order].tolist()


@pytest.mark.parametrize("n", [1, 3, 32])
def test_score_shards_are_of_equal_size(n):
    parts = [ids_of(range(32), number, n) for number in range(n)]
    assert [i for part in parts for i in part] == list(range(32))
    sizes = {len(part) for part in parts}
    assert max(sizes) - min(sizes) <= 1


def test_score_computes_what_is_missing(pipeline, texts, tmp_path, monkeypatch):
    wanted, out = Wanted(str(pipeline), policy="NTE"), tmp_path / "out"
    whole = score_pool(wanted, [texts], tmp_path / "whole", n_shards=4, progress=False)
    assert (whole.new, whole.done) == (4, 4)
    one = score_pool(wanted, [texts], out, share=Share(3, 4), progress=False)
    assert (one.new, one.done, one.shards) == (1, 1, 4)
    assert [path.name for path in (out / "shards").iterdir()] == ["00003-of-00004.jsonl"]
    before = (out / "shards" / "00003-of-00004.jsonl").stat().st_mtime_ns
    rest = score_pool(wanted, [texts], out, n_shards=4, progress=False)
    assert (rest.new, rest.done) == (3, 4)
    assert (out / "shards" / "00003-of-00004.jsonl").stat().st_mtime_ns == before
    assert contents(out) == contents(tmp_path / "whole")
    # a shard that another process computes is left to it, one that failed leaves nothing
    (out / "shards" / "00001-of-00004.jsonl").unlink()
    claim = ScoreFolder(out, 4).claim(0)
    assert claim is not None
    run = score_pool(wanted, [texts], out, n_shards=4, progress=False)
    assert (run.new, run.done) == (0, 3)
    release(claim)
    assert ScoreFolder(out, 4).claim(1) is None  # it is done

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spacy_seqmix.score.row_files.json", SimpleNamespace(dumps=full))
    with pytest.raises(SeqMixError, match="S411"):
        score_pool(wanted, [texts], out, n_shards=4, progress=False)
    monkeypatch.undo()
    assert len(list((out / "shards").iterdir())) == 3
    assert score_pool(wanted, [texts], out, n_shards=4, progress=False).new == 1
    assert contents(out) == contents(tmp_path / "whole")


def test_score_does_not_depend_on_how_texts_are_cut(pipeline, texts, tmp_path):
    wanted = Wanted(str(pipeline), policy="RandomPolicy", seed=3)
    score_pool(wanted, [texts], tmp_path / "whole", n_shards=3, progress=False)
    lines = texts.read_text("utf8").split("\n")
    parts = tmp_path / "parts"
    parts.mkdir()
    for at in range(0, len(lines), 10):
        text = "".join(f"{line}\n" for line in lines[at : at + 10])
        (parts / f"{at:03d}.txt").write_text(text, "utf8")
    score_pool(wanted, [parts], tmp_path / "cut", n_shards=3, progress=False)
    assert rows_of(tmp_path / "cut") == rows_of(tmp_path / "whole")
    assert len({row["score"] for row in rows_of(tmp_path / "cut")}) == 30


def test_score_goes_on_after_a_text_that_fails(pipeline, texts, tmp_path, monkeypatch):
    wanted, out = Wanted(str(pipeline), policy="NTE", docs=True), tmp_path / "out"
    score_pool(wanted, [texts], tmp_path / "good", n_shards=2, progress=False)
    bad = texts.read_text("utf8").split("\n")[4]
    probs = score_run.Scorer._evidence

    def poisoned(self, policy, docs):
        if any(doc.text == bad for doc in docs):
            raise RuntimeError("a  poisoned\ntext")
        return probs(self, policy, docs)

    monkeypatch.setattr(score_run.Scorer, "_evidence", poisoned)
    with pytest.warns(UserWarning, match=r"W760\].* 1 text: 4-.*RuntimeError: a poisoned text"):
        run = score_pool(wanted, [texts], out, n_shards=2, progress=False)
    assert [row["error"] for row in run.failed] == ["RuntimeError: a poisoned text"]
    found, good = rows_of(out), rows_of(tmp_path / "good")
    assert found[2] == {"key": task_key(4, bad), "error": "RuntimeError: a poisoned text"}
    assert [row["key"] for row in found] == [row["key"] for row in good]
    others = [i for i in range(30) if i != 2]
    assert [found[i]["score"] for i in others] == pytest.approx([good[i]["score"] for i in others])
    docs = DocBin().from_disk(out / "docs" / "00001-of-00002.spacy")
    assert len(docs) == 14
    assert task_key(4, bad) not in read_scores(out)
    assert len(read_scores(out)) == 29


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"policy": "MNLP"}, "policy"),
        ({"seed": 1}, "seed"),
        ({"spans": True}, "spans"),
        ({"n_shards": 3}, "shards"),
        ({"texts": "Another text."}, "pool"),
    ],
)
def test_score_folder_belongs_to_its_settings(pipeline, texts, tmp_path, change, fields):
    wanted = {"model": str(pipeline), "policy": "NTE"}
    score_pool(Wanted(**wanted), [texts], tmp_path / "out", n_shards=2, progress=False)
    before = contents(tmp_path / "out")
    if "texts" in change:
        texts.write_text(change.pop("texts") + "\n" + texts.read_text("utf8"), "utf8")
    n_shards = change.pop("n_shards", 2)
    with pytest.raises(SeqMixError, match=rf"S765.* differ: {fields}\. "):
        score_pool(Wanted(**{**wanted, **change}), [texts], tmp_path / "out", n_shards=n_shards)
    assert contents(tmp_path / "out") == before


def test_score_refuses_what_can_not_be(pipeline, texts, tmp_path):
    wanted, out = Wanted(str(pipeline), policy="NTE"), tmp_path / "out"
    with pytest.raises(SeqMixError, match=r"S763.*30 texts.* 31 shards"):
        score_pool(wanted, [texts], out, n_shards=31, progress=False)
    with pytest.raises(SeqMixError, match="S549"):
        score_pool(wanted, [texts], texts, progress=False)
    assert not out.exists()
    with pytest.raises(SeqMixError, match=r"S766.*no score\.json"):
        read_scores(tmp_path)
    score_pool(Wanted(str(pipeline), spans=True), [texts], out, progress=False)
    with pytest.raises(SeqMixError, match="S768"):
        read_scores(out)
    shard = out / "shards" / "00001-of-00001.jsonl"
    shard.write_text('{"key": 3}\n')
    with pytest.raises(SeqMixError, match=r"S767.*00001-of-00001\.jsonl"):
        read_scores(out)
    shard.write_text('{"key": "0-a", "score": 1.0}\n{"key": "1-b", "sco')
    with pytest.raises(SeqMixError, match=r"S767.*00001-of-00001\.jsonl': line 2 is not JSON"):
        read_scores(out)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(SeqMixError, match=r"S766.*other files"):
        score_pool(wanted, [texts], tmp_path / "mine", progress=False)


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "-1/4", "1/4/2", "a/b", "9" * 30 + "/4"])
def test_score_share_that_is_none(text):
    with pytest.raises(SeqMixError, match="S764"):
        read_share(text)


def test_score_share():
    assert read_share("3/64") == (3, 64)


def command(*words: object) -> str:
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exit_code == 0, (result.output, result.exception)
    return " ".join(result.output.split())


def test_query_by_scores_asks_what_a_query_asks(pipeline, texts, tmp_path):
    output = command("score", pipeline, texts, "-o", tmp_path / "out", "-p", "NTE", "-q")
    assert "30 texts by 'seqmix_ner' with NTE, in 1 shard" in output
    assert "1 shard computed, 1 of 1 done" in output
    ask = ["query", pipeline, texts, "-n", 5]
    command(*ask, "-p", "NTE", "-o", tmp_path / "a.jsonl")
    output = command(*ask, "--scores", tmp_path / "out", "-o", tmp_path / "b.jsonl")
    assert "Chose among 30 texts, by the scores in" in output
    a, b = ((tmp_path / name).read_text("utf8") for name in ("a.jsonl", "b.jsonl"))
    assert a == b


def test_score_and_query_commands_take_parquet(pipeline, texts, tmp_path):
    path = tmp_path / "texts.parquet"
    pq.write_table(pa.table({"text": texts.read_text("utf8").split("\n")}), path)
    for pool, words in ((texts, []), (path, ["--format", "parquet"])):
        out = tmp_path / pool.suffix[1:]
        command("score", pipeline, pool, "-o", out, "-p", "NTE", "-q", *words)
        ask = ["query", pipeline, pool, "-n", 5, "--scores", out]
        command(*ask, "-o", tmp_path / f"{out.name}.jsonl")
    assert [one.suffix for one in (tmp_path / "parquet" / "shards").iterdir()] == [".parquet"]
    found = [(tmp_path / f"{name}.jsonl").read_text("utf8") for name in ("txt", "parquet")]
    assert found[0] == found[1]


def test_score_command_does_one_shard(pipeline, texts, tmp_path):
    words = ["score", pipeline, texts, "-o", tmp_path / "out", "--policy", "none", "--spans", "-q"]
    output = command(*words, "--shard", "2/3")
    assert "1 shard computed, 1 of 3 done; run the command again for the rest" in output
    assert "score" not in rows_of(tmp_path / "out")[0]
    assert "2 shards computed, 3 of 3 done" in command(*words, "--shards", 3, "--top", 2)
    assert (tmp_path / "out" / "top.jsonl").read_text() == ""
    result = CliRunner().invoke(app, [*map(str, words), "--shard", "1/3", "--shards", "4"])
    assert "[S764]" in result.output
    assert math.isclose(result.exit_code, 1)


@pytest.mark.parametrize("what", [{}, {"spans": True}, {"docs": True}, {"policy": None}])
def test_scorer_forgets_the_words_of_a_part(pipeline, what):
    nlp = spacy.load(pipeline)
    scorer = Scorer(Wanted(str(pipeline), **{"policy": "NTE", **what}), nlp)
    scorer(Part(0, [0], [["Rome"]]))
    before = set(nlp.vocab.strings), {lexeme.text for lexeme in nlp.vocab}
    data = DocBin(docs=[spacy.blank("en")("Unheardof Newcomer")]).to_bytes()
    rows, written = scorer(Part(1, [1, 2], [["Neverbefore saw Rome"], data]))
    assert (set(nlp.vocab.strings), {lexeme.text for lexeme in nlp.vocab}) == before
    assert [row["tokens"] for row in rows] == [3, 2]
    assert (written is not None) == what.get("docs", False)
    if written is not None:
        docs = list(DocBin().from_bytes(written).get_docs(spacy.blank("en").vocab))
        assert [doc.text for doc in docs] == ["Neverbefore saw Rome", "Unheardof Newcomer"]
        assert [soft_labels.get(doc) is not None for doc in docs] == [True, True]


def test_score_needs_the_language_model_before_any_text(pipeline, texts, tmp_path):
    """An error of loading it is that of no text."""
    wanted, out = Wanted(str(pipeline), lm=str(tmp_path / "none")), tmp_path / "out"
    with pytest.raises((OSError, ValueError), match="none"):
        score_pool(wanted, [texts], out, progress=False)
    assert not out.exists()


def test_score_sets_the_shard_of_a_damaged_doc_aside(pipeline, all_news, tmp_path):
    docs, path = [doc.copy() for doc in all_news], tmp_path / "docs.spacy"
    docs[4].user_data[soft_labels.KEY] = 5
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    wanted, out = Wanted(str(pipeline), policy="NTE"), tmp_path / "out"
    for _ in range(2):
        with pytest.raises(SeqMixError, match=r"S582\] Doc 4 of '.*docs\.spacy"):
            score_pool(wanted, [path], out, n_shards=3, progress=False)
        done = sorted(file.name for file in (out / "shards").iterdir())
        assert done == ["00002-of-00003.jsonl", "00003-of-00003.jsonl"]
    assert len(read_scores(out)) == 20


def test_packed_docs_leave_no_words_behind(all_news, tmp_path):
    nlp, path = spacy.blank("en"), tmp_path / "docs.spacy"
    DocBin(docs=all_news).to_disk(path)
    docs = lazy_docs([path], nlp)
    before = {lexeme.text for lexeme in nlp.vocab}
    (data,) = docs.packed([3, 1])
    assert {lexeme.text for lexeme in nlp.vocab} == before
    made = DocBin().from_bytes(data).get_docs(spacy.blank("en").vocab)
    assert [doc.text for doc in made] == [all_news[1].text, all_news[3].text][::-1]


def test_score_of_policies_and_components_that_keep_docs(pipeline, all_news, tmp_path):
    """They are of users: their docs and names are not forgotten."""
    nlp, seen, found = spacy.load(pipeline), [], []
    matcher = Matcher(nlp.vocab)

    def find(doc):
        found.append(doc)
        if not matcher:  # at the first doc
            matcher.add("GADGET", [[{"IS_TITLE": True}]])
        doc.spans["found"] = matcher(doc, as_spans=True)
        return doc

    def score(docs, rng):
        seen.extend(docs)
        return np.array([len({d.text for d in seen}) for _ in docs], dtype="float32")

    nlp.add_pipe("sentencizer", name="finder", first=True)
    nlp._components[0] = "finder", find  # without a name in the registry
    spans = Scorer(Wanted(str(pipeline), spans=True), nlp)
    keeps = Scorer(Wanted(str(pipeline), policy="Random"), spacy.load(pipeline))
    keeps.policy = QueryPolicy(score, needs="nothing")
    for scorer in (spans, keeps):
        for number in range(3):
            texts = [f"Unheardof{number} Newcomer{k} left" for k in range(2)]
            rows, _ = scorer(Part(number, [2 * number, 2 * number + 1], [texts]))
            assert [row.get("error") for row in rows] == [None, None]
    for docs in (seen, found):
        assert {doc[0].text for doc in docs} == {"Unheardof0", "Unheardof1", "Unheardof2"}
