"""`spacy seqmix query` and `spacy seqmix ingest`."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import spacy
from spacy.tokens import Doc, DocBin
from typer.testing import CliRunner

from spacy_seqmix.annotate.formats import FORMATS, detect, read_export
from spacy_seqmix.annotation.docbins import write_docs
from spacy_seqmix.annotation.texts import EXTRA_KEY, KEY, task_key
from spacy_seqmix.cli import app
from spacy_seqmix.cli.ingest import ToolFormat
from spacy_seqmix.errors import SeqMixError
from spacy_seqmix.query.by_name import component_of, policy_of, usual_policy

from ..conftest import NEWS
from .tools import EXPORTS, Said

EXAMPLES = Path(__file__).parent / "exports"
TEXTS = [markup.replace("[", "").replace("]", "").split(" ", 1)[-1] for markup in NEWS]


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, " ".join(result.output.split())


def docs_of(path: Path) -> list[Doc]:
    return list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))


def jsonl(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf8").splitlines()]


@pytest.fixture
def parquet_pool(pool: Path) -> Path:
    """The same texts as Parquet."""
    path = pool.with_suffix(".parquet")
    pq.write_table(pa.Table.from_pylist(jsonl(pool)), path, row_group_size=8)
    return path


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    path = tmp_path / "pool.jsonl"
    rows = [{"text": text, "source": n} for n, text in enumerate(TEXTS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf8")
    return path


def test_commands_know_all_formats() -> None:
    assert [one.value for one in ToolFormat] == ["auto", *FORMATS]


def test_query_writes_the_texts_with_most_entities(pipeline, pool, tmp_path) -> None:
    from spacy_seqmix.query.policies import evidence

    out = tmp_path / "tasks.jsonl"
    code, output = run("query", pipeline, pool, "-n", 4, "-o", out)
    assert code == 0, output
    assert f"Scored {len(TEXTS)} texts by 'ner' with TagCount" in output
    assert "Wrote 4 texts" in output
    rows = jsonl(out)
    nlp = spacy.load(pipeline)
    docs = [nlp.make_doc(text) for text in TEXTS]
    found = evidence("entities", nlp, "ner", docs)
    scores = [float(p.sum()) for p in found]
    best = sorted(range(len(TEXTS)), key=lambda n: -scores[n])[:4]
    assert [json.loads(row["seqmix_extra"])["source"] for row in rows] == best
    for row, n in zip(rows, best, strict=True):
        assert row["key"] == task_key(n, TEXTS[n])
        assert row["text"] == TEXTS[n]
        assert row["state"] == "not yet"
        assert row["score"] == pytest.approx(scores[n], abs=1e-4)
        assert row["model"] == "round-01"
        ents = [[e.start_char, e.end_char, e.label_] for e in nlp(TEXTS[n]).ents]
        assert [span[:3] for span in row["shown"]] == ents
        assert all(0 <= span[3] <= 1 for span in row["shown"])


@pytest.mark.parametrize("name", FORMATS)
def test_query_and_ingest_go_round(pipeline, pool, tmp_path, name) -> None:
    tasks, out = tmp_path / f"tasks{FORMATS[name].suffix}", tmp_path / "out.spacy"
    code, output = run("query", pipeline, pool, "-n", 6, "-f", name, "-o", tasks)
    assert code == 0, output
    assert detect(tasks) == name
    if name == "brat":
        labels = (tasks / "annotation.conf").read_text("utf8").split("\n")
        assert {"PER", "LOC", "ORG", "MISC"} <= set(labels)
    rows = list(read_export(tasks)[1])
    assert [row.state for row in rows] == ["not yet"] * 6
    # All are labelled with one entity, which no model would predict.
    said = {row.key: Said([(0, len(row.text), "ALL")]) for row in rows}
    export = EXPORTS[name](tasks, said)
    code, output = run("ingest", export, "-o", out, "--pool", pool, "--model", pipeline)
    assert code == 0, output
    assert f"Format: {name} (detected" in output
    docs = docs_of(out)
    assert sorted(doc.user_data[KEY] for doc in docs) == sorted(said)
    assert [doc.user_data[EXTRA_KEY]["source"] for doc in docs] == [
        int(doc.user_data[KEY].split("-")[0]) for doc in docs
    ]
    if name != "brackets":
        assert [[(e.text, e.label_) for e in doc.ents] for doc in docs] == [
            [(doc.text, "ALL")] for doc in docs
        ]


def test_query_and_ingest_take_pools_of_parquet(pipeline, pool, parquet_pool, tmp_path) -> None:
    made = []
    for path in (pool, parquet_pool):
        tasks, out = tmp_path / f"{path.name}.tasks.jsonl", tmp_path / f"{path.name}.spacy"
        code, output = run("query", pipeline, path, "-n", 6, "-o", tasks)
        assert code == 0, output
        said = {row.key: Said([(0, 3, "ALL")]) for row in read_export(tasks)[1]}
        export = EXPORTS["jsonl"](tasks, said)
        words = ["ingest", export, "-o", out, "--pool", path, "--model", pipeline]
        code, output = run(*words)
        assert code == 0, output
        made.append((tasks.read_text("utf8"), [doc.to_json() for doc in docs_of(out)]))
        assert [EXTRA_KEY in doc.user_data for doc in docs_of(out)] == [True] * 6
    assert made[0] == made[1]
    code, output = run(*words[:-4], "--pool", parquet_pool, "--whole", "--model", pipeline)
    assert "[S724]" in output


def test_query_asks_no_text_twice(pipeline, pool, tmp_path) -> None:
    asked: list[str] = []
    files: list[Path] = []
    for number, name in enumerate(["jsonl", "brat", "label-studio"]):
        out = tmp_path / f"tasks-{number}{FORMATS[name].suffix}"
        options = [word for path in files for word in ("-x", path)]
        code, output = run("query", pipeline, pool, "-n", 8, "-f", name, "-o", out, *options)
        assert code == 0, output
        asked += [row.key for row in read_export(out)[1]]
        files.append(out)
    assert len(asked) == len(set(asked)) == 24


def test_query_excludes_spacy_files_and_texts(pipeline, pool, tmp_path) -> None:
    nlp = spacy.blank("en")
    write_docs([nlp.make_doc(text) for text in TEXTS[:10]], tmp_path / "done.SPACY")
    (tmp_path / "more.txt").write_text("\n".join(TEXTS[10:20]), "utf8")
    out = tmp_path / "tasks.jsonl"
    options = ["-x", tmp_path / "done.SPACY", "-x", tmp_path / "more.txt"]
    pq.write_table(pa.table({"text": TEXTS[:2]}), tmp_path / "again.parquet")
    options += ["-x", tmp_path / "again.parquet"]
    code, output = run("query", pipeline, pool, "-n", 50, "-o", out, *options)
    assert code == 0, output
    assert "20 are known" in output
    assert sorted(json.loads(row["seqmix_extra"])["source"] for row in jsonl(out)) == list(
        range(20, len(TEXTS))
    )
    pq.write_table(pa.table({"text": TEXTS[20:]}), tmp_path / "rest.parquet")
    options += ["-x", tmp_path / "rest.parquet"]
    code, output = run("query", pipeline, pool, "-o", tmp_path / "none.jsonl", *options)
    assert code == 1
    assert "[S649]" in output
    assert not (tmp_path / "none.jsonl").exists()


def test_query_leaves_out_what_no_tokenizer_reads(pipeline, tmp_path) -> None:
    pool, out = tmp_path / "pool.txt", tmp_path / "tasks.jsonl"
    pool.write_text("\n".join(["(" * 9000, TEXTS[0], "a " * 600_000]), "utf8")
    code, output = run("query", pipeline, pool, "-o", out)
    assert code == 0, output
    assert "[W612] 2 texts of" in output
    assert "They are in the lines 1, 3." in output
    assert [row["key"] for row in jsonl(out)] == [task_key(1, TEXTS[0])]


def test_query_prints_a_command_that_reads_the_answers(pipeline, pool, tmp_path) -> None:
    code, output = run("query", pipeline, pool, "-n", 1, "-o", tmp_path / "tasks.jsonl")
    assert code == 0, output
    options = f"--pool {pool} --model {pipeline}"
    assert f"ingest EXPORT -o FILE.spacy {options}" in output


def test_query_counts_tokens(pipeline, pool, tmp_path) -> None:
    out = tmp_path / "tasks.jsonl"
    code, output = run("query", pipeline, pool, "--tokens", 40, "-o", out)
    assert code == 0, output
    nlp = spacy.blank("en")
    sizes = [len(nlp.make_doc(row["text"])) for row in jsonl(out)]
    assert 20 < sum(sizes) <= 40
    assert f"({sum(sizes)} tokens)" in output


def test_query_scores_a_sample_with_a_seed(pipeline, pool, tmp_path) -> None:
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        out = tmp_path / f"{name}.jsonl"
        options = ["--score-size", 9, "--seed", seed, "-n", 50]
        code, output = run("query", pipeline, pool, "-o", out, *options)
        assert code == 0, output
        assert "Scored 9 texts" in output
        found.append(out.read_text("utf8"))
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_query_takes_a_policy_by_name_or_by_config(pipeline, pool, tmp_path) -> None:
    config = tmp_path / "policy.cfg"
    config.write_text('[policy]\n@misc = "spacy-seqmix.Margin.v1"\nmode = "smallest"\n', "utf8")
    for n, policy in enumerate(["RandomPolicy", "spacy-seqmix.MNLP.v1", config]):
        out = tmp_path / f"{n}.jsonl"
        code, output = run("query", pipeline, pool, "-n", 3, "-p", policy, "-o", out)
        assert code == 0, output
        assert len(jsonl(out)) == 3


def test_query_adjusts_scores_as_the_policy_says(pipeline, pool, tmp_path) -> None:
    config = tmp_path / "policy.cfg"
    lines = ["[active]", "[active.policy]", '@misc = "spacy-seqmix.TokenCost.v1"', "weight = 2.0"]
    lines += ["[active.policy.policy]", '@misc = "spacy-seqmix.TagCount.v1"']
    config.write_text("\n".join(lines), "utf8")
    found = []
    for n, policy in enumerate(["TagCount", config]):
        out = tmp_path / f"{n}.jsonl"
        code, output = run("query", pipeline, pool, "-n", 50, "-p", policy, "-o", out)
        assert code == 0, output
        found.append({row["key"]: row["score"] for row in jsonl(out)})
    nlp = spacy.blank("en")
    for n, text in enumerate(TEXTS):
        key = task_key(n, text)
        assert found[1][key] == pytest.approx(found[0][key] / len(nlp(text)) ** 2, rel=1e-4)


def test_query_asks_texts_that_are_not_alike(pipeline, tmp_path) -> None:
    pool = tmp_path / "pool.txt"
    alike = [f"Rain fell in [{n}] Oslo on day {n} of the year." for n in range(12)]
    pool.write_text("\n".join([*alike, *TEXTS[:12]]), "utf8")
    numbers = []
    for name, options in (("a", []), ("b", ["--diverse"])):
        out = tmp_path / f"{name}.jsonl"
        options = ["-p", "RandomPolicy", *options]
        code, output = run("query", pipeline, pool, "-n", 6, "-o", out, *options)
        assert code == 0, output
        numbers.append([int(row["key"].split("-")[0]) for row in jsonl(out)])
    assert len(numbers[1]) == 6
    n_alike = [sum(n < len(alike) for n in one) for one in numbers]
    assert n_alike[1] <= 2 < n_alike[0]


def test_query_asks_what_predicts_spans_before_taggers() -> None:
    nlp = spacy.blank("en")
    for name in ("tagger", "ner"):
        nlp.add_pipe(name)
    assert component_of(nlp, policy_of("NTE"), None) == "ner"
    assert component_of(nlp, policy_of("RandomPolicy"), None) == "ner"
    assert component_of(nlp, policy_of("NTE"), "tagger") == "tagger"
    nlp.disable_pipe("ner")
    with pytest.raises(SeqMixError, match=r"S570\] 'ner' is disabled"):
        component_of(nlp, policy_of("NTE"), None)
    assert component_of(nlp, policy_of("NTE"), "tagger") == "tagger"
    assert usual_policy(nlp, "tagger") == "NTE"
    nlp.enable_pipe("ner")
    assert usual_policy(nlp, None) == "TagCount"
    nlp.remove_pipe("ner")
    assert usual_policy(nlp, None) == "NTE"
    assert component_of(nlp, policy_of("NTE"), None) == "tagger"
    with pytest.raises(SeqMixError, match="S401"):
        component_of(spacy.blank("en"), policy_of("NTE"), None)
    assert component_of(spacy.blank("en"), policy_of("RandomPolicy"), None) is None


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ("Nte", "S652"),
        ("PieceTable", "S652"),
        ("LeastConfidence", None),
        ("QBC", "S444"),
        ("Fluctuation", "S653"),
    ],
)
def test_query_refuses_what_is_no_policy_for_one_pipeline(
    pipeline, pool, tmp_path, policy, code
) -> None:
    exit_code, output = run("query", pipeline, pool, "-p", policy, "-o", tmp_path / "o.jsonl")
    assert exit_code == (0 if code is None else 1)
    assert code is None or f"[{code}]" in output


def test_query_never_writes_over_tasks(pipeline, pool, tmp_path) -> None:
    out = tmp_path / "tasks.txt"
    out.write_text("labelled", "utf8")
    code, output = run("query", pipeline, pool, "-f", "brackets", "-o", out)
    assert code == 1
    assert "[S651]" in output
    assert out.read_text("utf8") == "labelled"


def test_query_of_spacy_pools_keeps_their_tokens(pipeline, tmp_path) -> None:
    nlp = spacy.blank("en")
    write_docs([Doc(nlp.vocab, words=["Ana-Duarte", "left"])], tmp_path / "pool.SPACY")
    out = tmp_path / "tasks.jsonl"
    code, output = run("query", pipeline, tmp_path / "pool.SPACY", "-f", "prodigy", "-o", out)
    assert code == 0, output
    assert [token["text"] for token in jsonl(out)[0]["tokens"]] == ["Ana-Duarte", "left"]


def test_ingest_says_what_became_of_each_text(tmp_path) -> None:
    out = tmp_path / "out.spacy"
    code, output = run("ingest", EXAMPLES / "label-studio.json", "-o", out)
    assert code == 0, output
    assert "4 labelled (1 of them empty), 1 skipped, 2 not yet" in output
    assert "Snapped: " in output
    assert "task 6 (id 105): 'na Lun' (PER) to 'Ana Lunt'" in output
    assert "Offsets: " in output
    assert "Wrote 4 docs (7 entities)" in output
    assert len(docs_of(out)) == 4


def test_ingest_joins_with_the_pool(tmp_path) -> None:
    text = "Zoe\u0308 left.\r\nNow."
    rows = [{"text": "Same."}, {"text": "Same."}, {"text": text, "n": 1}, {"text": "Other."}]
    pool = tmp_path / "pool.jsonl"
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf8")
    span = {"start": 0, "end": 3, "label": "PER"}
    answers = [
        {"text": "Same.", "spans": [{"start": 0, "end": 4, "label": "X"}]},
        {"key": task_key(0, "Same."), "text": "Same.", "spans": []},
        {"key": task_key(2, text), "text": "Zo\u00eb left.\nNow.", "spans": [span]},
        {"key": task_key(3, "Other."), "text": "Another.", "spans": []},
        {"key": "77-0123456789", "text": "Nowhere.", "spans": []},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers), "utf8")
    out = tmp_path / "out.spacy"
    code, output = run("ingest", tmp_path / "a.jsonl", "-o", out, "-p", pool)
    assert code == 0, output
    docs = docs_of(out)
    assert [doc.user_data[KEY] for doc in docs] == [
        task_key(1, "Same."),
        task_key(0, "Same."),
        task_key(2, text),
    ]
    assert docs[2].text == text
    assert [ent.text for ent in docs[2].ents] == ["Zoe\u0308"]
    assert docs[2].user_data[EXTRA_KEY] == {"n": 1}
    assert "2 not placed" in output
    assert "a.jsonl, line 4: the text was changed: 'Another.' in place of 'Other.'" in output
    assert "a.jsonl, line 5: the pool has no such text, nor the key '77-0123456789'" in output


def test_ingest_takes_two_persons_answers_for_one_of_equal_texts(tmp_path) -> None:
    (tmp_path / "pool.txt").write_text("Ana left.\nAna left.\n", "utf8")
    rows = [{"text": "Ana left.", "who": who, "spans": []} for who in ("eva", "bob", "bob")]
    out = tmp_path / "out.spacy"
    for n, keys in ((2, [0]), (3, [0, 1])):
        text = "".join(json.dumps(row) + "\n" for row in rows[:n])
        (tmp_path / "a.jsonl").write_text(text, "utf8")
        code, output = run("ingest", tmp_path / "a.jsonl", "-o", out, "-p", tmp_path / "pool.txt")
        assert code == 0, output
        found = [doc.user_data[KEY] for doc in docs_of(out)]
        assert found == [task_key(key, "Ana left.") for key in keys]


UNKNOWN = {"[9, 3]": "S646", "[-5, 3]": "S646", "[0, 999]": "S641", "[0, 0]": "S646"}


@pytest.mark.parametrize("part", UNKNOWN)
def test_ingest_refuses_unknown_parts_that_are_not_in_the_text(tmp_path, part) -> None:
    line = f'{{"text": "Ana left.", "spans": [], "unknown": [{part}]}}'
    (tmp_path / "a.jsonl").write_text(line, "utf8")
    code, output = run("ingest", tmp_path / "a.jsonl", "-o", tmp_path / "out.spacy")
    assert code == 1
    assert f"[{UNKNOWN[part]}]" in output
    assert "a.jsonl, line 1" in output


def test_ingest_does_not_count_answers_that_say_nothing(tmp_path) -> None:
    rows = [{"text": "Ana left.", "spans": [], "unknown": [[0, 9]]}]
    rows += [{"text": "🙂 Ana left.", "spans": [], "unknown": [[0, 6]]}]  # in code points: 🙂 Ana
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "a.jsonl").write_text(text, "utf8")
    code, output = run("ingest", tmp_path / "a.jsonl", "-o", tmp_path / "out.spacy")
    assert code == 0, output
    assert "1 labelled (1 in part), 0 skipped, 1 not yet" in output
    assert "line 1: all of the text is unknown" in output
    (doc,) = docs_of(tmp_path / "out.spacy")
    assert [token.ent_iob for token in doc] == [0, 0, 2, 2]


def test_ingest_takes_the_last_of_two_answers(tmp_path) -> None:
    rows = [
        {"text": "Ana left.", "spans": [], "at": "2026-01-02"},
        {
            "text": "Ana left.",
            "spans": [{"start": 0, "end": 3, "label": "PER"}],
            "at": "2026-01-03",
        },
        {"text": "Ana left.", "spans": [{"start": 0, "end": 8, "label": "X"}], "at": "2026-01-01"},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf8")
    out = tmp_path / "out.spacy"
    code, output = run("ingest", tmp_path / "a.jsonl", "-o", out)
    assert code == 0, output
    assert [ent.label_ for doc in docs_of(out) for ent in doc.ents] == ["PER"]
    assert output.count("Not counted: ") == 2
    assert "--annotators" not in output  # nobody has a name
    (tmp_path / "b.jsonl").write_text(json.dumps(rows[0] | {"at": "2026-01-04"}) + "\n", "utf8")
    code, output = run("ingest", tmp_path / "a.jsonl", tmp_path / "b.jsonl", "-o", out)
    assert code == 0, output
    assert "that by b in" in " ".join(output.split())
    assert "--annotators soft or vote joins them" in " ".join(output.split())


def test_ingest_says_where_the_pool_is_another(tmp_path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "Ana left.", "spans": []}\n', "utf8")
    (tmp_path / "other.txt").write_text("Bo left.\n", "utf8")
    given = tmp_path / "a.jsonl", "--pool", tmp_path / "other.txt"
    code, output = run("ingest", *given, "-o", tmp_path / "out.spacy")
    assert code == 1
    assert "other.txt' are not placed: give the asked ones." in " ".join(output.split())


BAD = {
    "offsets": ('{"text": "Ana left.", "spans": [{"start": 0, "end": 99, "label": "X"}]}', "S641"),
    "no JSON": ('{"text": "Ana', "S530"),
    "no text": ('{"key": "1-a", "spans": []}', "S646"),
    "a wrong state": ('{"text": "Ana left.", "state": "done"}', "S646"),
    "a relation to nothing": (
        '{"text": "A b.", "spans": [], "relations": [{"head": 0, "tail": 1, "label": "x"}]}',
        "S646",
    ),
    "a blank text": ('{"text": " ", "spans": []}', "S646"),
    "a half character": ('{"text": "\\ud83d", "spans": []}', "S530"),
}


@pytest.mark.parametrize("name", BAD)
def test_ingest_refuses_or_leaves_out_bad_rows(tmp_path, name) -> None:
    row, expected = BAD[name]
    path, out = tmp_path / "a.jsonl", tmp_path / "out.spacy"
    path.write_text(f'{{"text": "Bo left.", "spans": []}}\n{row}\n', "utf8")
    code, output = run("ingest", path, "-o", out, "-f", "jsonl")
    assert code == 1
    assert f"[{expected}]" in output
    assert "a.jsonl, line 2" in output
    assert not out.exists()
    code, output = run("ingest", path, "-o", out, "-f", "jsonl", "--skip")
    assert code == 0, output
    assert "[W540]" in output
    assert "line 2" in output
    assert [doc.text for doc in docs_of(out)] == ["Bo left."]


def test_ingest_writes_nothing_without_a_labelled_text(tmp_path) -> None:
    path, out = tmp_path / "a.jsonl", tmp_path / "out.spacy"
    path.write_text('{"id": 1, "text": "Bo left.", "label": []}\n', "utf8")
    code, output = run("ingest", path, "-o", out)
    assert code == 1
    assert "[S648]" in output
    assert "1 not yet" in output
    assert "--confirmed" in output
    assert not out.exists()
    code, output = run("ingest", path, "-o", out, "--confirmed")
    assert code == 0, output


@pytest.mark.parametrize("which", ["export", "pool"])
def test_ingest_never_writes_over_its_input(tmp_path, which) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "Bo left.", "spans": []}\n', "utf8")
    pool = tmp_path / "pool.txt"
    pool.write_text("Bo left.\n", "utf8")
    target = path if which == "export" else pool
    before = target.read_bytes()
    code, output = run("ingest", path, "-o", target, "--pool", pool)
    assert code == 1
    assert "[S549]" in output
    assert target.read_bytes() == before


def test_ingest_checks_labels(tmp_path) -> None:
    path, out = EXAMPLES / "answers.jsonl", tmp_path / "out.spacy"
    code, output = run("ingest", path, "-o", out, "--labels", "PER,ORG")
    assert code == 1
    assert "[S645]" in output
    assert "answers.jsonl, line 1: 'LOC' is none of" in output
    code, output = run("ingest", path, "-o", out, "--labels", "PER, LOC")
    assert code == 0, output


def test_ingest_names_formats_where_it_detects_none(tmp_path) -> None:
    (tmp_path / "a.txt").write_text("Ana left.\n", "utf8")
    code, output = run("ingest", tmp_path / "a.txt", "-o", tmp_path / "out.spacy")
    assert code == 1
    assert "[S640]" in output
    assert "label-studio" in output
