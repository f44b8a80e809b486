"""`query --to` and `ingest --from` with a real server."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from click.testing import Result
from typer.testing import CliRunner

from spacy_seqmix.annotation.docbins import read_docs
from spacy_seqmix.cli import app

from .conftest import ANN, BOB, LabelStudio
from .people import mark, submit, tasks_of

pytestmark = pytest.mark.slow

TEXTS = ("Ana left 👩‍🚀 Oslo.", "Nobody came.", "Bo wrote to Ana.", "قال كَرِيم نعم")
Run = Callable[[str], Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A function that runs a command in a folder with a pipeline and a pool."""
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PER", "pattern": "Ana"}])  # type: ignore[attr-defined]
    nlp.to_disk(tmp_path / "model")
    (tmp_path / "pool.txt").write_text("\n".join(TEXTS), "utf8")
    monkeypatch.chdir(tmp_path)
    return lambda words: CliRunner().invoke(app, shlex.split(words))


def test_label_studio_query_sends_and_ingest_reads(studio: LabelStudio, run: Run) -> None:
    xml = '<View><Labels name="label" toName="text"><Label value="PER"/></Labels>'
    xml += '<Text name="text" value="$text"/></View>'
    given = {"title": "asked by hand", "label_config": xml}
    project = studio.call("POST", "projects/", json=given)["id"]
    there = f"{studio.url}/projects/{project}"
    to = f"--to {studio.url} --project 'asked by hand'"
    query = f"query model pool.txt -p RandomPolicy {to}"
    result = run(f"{query} -n 3")
    assert result.exit_code == 0, result.output
    assert "Sent 3 texts (" in " ".join(result.output.split())
    assert there in " ".join(result.output.split())
    assert f"--from {studio.url} --project {project} -o FILE.spacy" in " ".join(
        result.output.split()
    )
    result = run(query)
    assert "Sent 1 text" in result.output  # the others are known
    result = run(query)
    assert result.exit_code == 1
    assert "[S649]" in result.output
    found = studio.call("GET", "tasks", params={"project": project, "fields": "all"})["tasks"]
    shown = {
        one["data"]["text"]: [r["value"] for p in one["predictions"] for r in p["result"]]
        for one in found
    }
    assert shown[TEXTS[0]] == [{"start": 0, "end": 3, "text": "Ana", "labels": ["PER"]}]
    assert shown[TEXTS[1]] == []
    of = tasks_of(studio, project)
    result = run(f"ingest --from {studio.url} --project {project} -o out.spacy")
    assert "[S648]" in result.output
    submit(studio, of[TEXTS[0]], [mark(TEXTS[0], "Ana", "PER")])
    submit(studio, of[TEXTS[0]], [mark(TEXTS[0], "Ana", "PER"), mark(TEXTS[0], "Oslo", "PER")], BOB)
    submit(studio, of[TEXTS[1]], [])
    submit(studio, of[TEXTS[2]], [], was_cancelled=True)
    result = run(f"ingest --from {studio.url} --project {project} -o out.spacy --pool pool.txt")
    assert result.exit_code == 0, result.output
    assert "2 labelled (1 of them empty), 1 skipped, 1 not yet" in result.output
    docs = read_docs(Path("out.spacy"), spacy.blank("en"))
    found = {doc.text: [ent.text for ent in doc.ents] for doc in docs}
    assert found == {TEXTS[0]: ["Ana", "Oslo"], TEXTS[1]: []}
    result = run(f"ingest --from {studio.url} --project {project} -o both.spacy -a soft")
    assert ANN in result.output
    assert BOB in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("query model pool.txt --to URL", "[S788] --to is for Label Studio: give --project"),
        ("query model pool.txt --to URL --project 1 -o x", "leave out --output FILE"),
        ("query model pool.txt", "[S788] --to is for Label Studio: give it, or --output FILE"),
        ("query model pool.txt -o x --project 1", "[S788] --project is for Label Studio"),
        ("query model pool.txt -p RandomPolicy --to URL --project 987654", "[S784]"),
        ("query model pool.txt --to localhost:8080 --project 1", "[S781]"),
        ("ingest -o out.spacy", "[S788] --from is for Label Studio: give it, or EXPORT"),
        ("ingest x.json --from URL --project 1 -o out.spacy", "leave out EXPORT"),
        ("ingest --from URL --project 1 -o out.spacy --confirmed", "leave out --confirmed"),
        ("query model pool.txt --to URL --project 1 -f brat", "leave out --format"),
        ("ingest --from URL/some/page --project 1 -o out.spacy", "[S783]"),
    ],
)
def test_label_studio_options(studio: LabelStudio, run: Run, words: str, message: str) -> None:
    result = run(words.replace("URL", studio.url))
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())
    assert not Path("out.spacy").exists()
    assert not Path("x").exists()
