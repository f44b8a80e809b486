"""The page of a report, as a browser shows it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from spacy.tokens import Doc, DocBin, Span

from spacy_seqmix.active.answers import AnswerFile, AnswerRecord
from spacy_seqmix.annotation.provenance import by_key, get_origin, set_origin
from spacy_seqmix.annotation.texts import task_key
from spacy_seqmix.mixing.interpolate import make_interpolated
from spacy_seqmix.mixing.mix import Mixer, mix_docs
from spacy_seqmix.mixing.segment_pool import make_mention
from spacy_seqmix.mixing.strategies import make_duplication
from spacy_seqmix.report import read_arms, write_report
from spacy_seqmix.report.arms import baselines_of
from spacy_seqmix.report.examples import _entities, mixed_examples
from spacy_seqmix.report.facts import make_facts
from spacy_seqmix.report.page import to_html
from spacy_seqmix.report.summary import summarise_arms
from spacy_seqmix.types import Answer

from .test_report import _round

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCRIPT = """
<script>
window.addEventListener("error", (event) => { document.title = "ERROR " + event.message; });
</script>
"""
# What a reader does: choose a type, type a word, ask for more.
STEPS = """
<script>
const told = () => document.getElementById("count").textContent;
const act = (id, value) => {
  const control = document.getElementById(id);
  control.value = value;
  control.dispatchEvent(new Event("input"));
  return told();
};
const results = [told(), document.querySelectorAll("article").length];
document.getElementById("more").click();
results.push(told());
results.push(act("f-type", "ORG"), act("f-type", ""), act("f-text", "zzz no such word"));
results.push(document.querySelectorAll("article").length, act("f-text", ""));
results.push(act("f-round", "1"), act("f-order", "perplexity"));
results.push(act("f-verdict", "rejected"));
const page = document.documentElement;
const wide = page.scrollWidth - page.clientWidth;
const reached = "#filters select, #filters input, #more, .scroll, figure, summary, nav a";
const skipped = [...document.querySelectorAll(reached)].filter((e) => e.tabIndex < 0).length;
const drawn = [...document.querySelectorAll("figure svg")].filter((e) => e.clientHeight > 0);
const shapes = [...new Set(drawn.map((e) => e.getAttribute("class")))];
const [shares] = document.querySelectorAll("article details");
shares.open = true;
const numbers = [...shares.querySelectorAll("li")].map((li) => li.textContent);
const legend = [...document.querySelectorAll("#legend li")].map((li) => li.textContent);
document.body.innerHTML = "";
const found = JSON.stringify({ results, legend, numbers, shapes, wide, skipped });
document.body.append("RESULTS" + found + "END");
</script>
"""


@pytest.fixture
def run_dir(tmp_path, news, blank_en):
    """A run with mixed docs on disk."""
    folder = tmp_path / "mmix"
    (folder / "mixed").mkdir(parents=True)
    rounds = [_round(i, 0.7, mixed=15) for i in (0, 1)]
    judged = [[100.0 + i, 9.0, i % 3 > 0] for i in range(50)]
    for one in rounds:
        sizes = {"queried_tokens": [9, 7], "queried_entities": [1, 2], "judged": judged}
        one |= sizes
        one["scores"]["dev"] |= {"confusion": [["PER", "LOC", 2], ["PER", "", 1]]}
    lines = "".join(json.dumps(one) + "\n" for one in rounds)
    (folder / "journal.jsonl").write_text(lines)
    DocBin(docs=news, store_user_data=True).to_disk(tmp_path / "pool.spacy")
    config = f'[nlp]\nlang = "en"\n[active]\npool = "{tmp_path / "pool.spacy"}"\nseed = 0\n'
    (folder / "config.cfg").write_text(config)
    mixer = Mixer(make_mention(segments=0), make_interpolated(), rate=0.5)
    for number in (0, 1):
        rng = np.random.default_rng(number)
        mixed, _ = mix_docs(news, mixer, rng, blank_en)
        path = folder / "mixed" / f"round-{number:02d}.spacy"
        DocBin(docs=mixed, store_user_data=True).to_disk(path)
    for doc in mixed[:3]:
        set_origin(doc, get_origin(doc).scored(700.0, 20.0))
    rejected = folder / "mixed" / "round-01-rejected.spacy"
    DocBin(docs=mixed[:3], store_user_data=True).to_disk(rejected)
    return folder


@pytest.fixture
def page(run_dir, tmp_path) -> Path:
    """The page of a report of that run."""
    return write_report([str(run_dir)], tmp_path / "out", "A </script> & a run", "make demo")


def test_page_needs_nothing_else(page):
    text = page.read_text("utf8")
    # links to anchors only; namespaces of SVG are names, not addresses
    places = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert all(place.startswith("#") for place in places)
    assert set(re.findall(r"https?://[^\"'<> )]*", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "A &lt;/script&gt; &amp; a run" in text
    assert len(re.findall("</script>", text)) == 2
    style = text[text.index("<style>") : text.index("</style>")]
    assert "&gt;" not in style  # nothing is escaped there
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:href="#|url\(#)([^")]*)', text)
    assert set(used) <= set(ids)
    names = {path.name for path in page.parent.iterdir()}
    assert {"curves.png", "queries.png", "perplexity.png", "report.md"} <= names


def test_page_data(page):
    text = page.read_text("utf8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL).group(1))
    parents, data = data["parents"], data["examples"]
    assert len(data) == 33
    assert len(parents) < 33  # each once
    assert {one["round"] for one in data} == {0, 1}
    order = [(one["round"], one["verdict"] == "rejected") for one in data]
    assert order == sorted(order)
    verdicts = [one["verdict"] for one in data if one["round"] == 1]
    assert sorted(verdicts) == ["not judged"] * 15 + ["rejected"] * 3
    for one in data:
        first, second, *_ = one["parents"]
        assert 0 < first["share"] == pytest.approx(1 - second["share"])
        assert "<mark" in parents[first["html"]]
        mixed = [token for token in one["child"]["tokens"] if token.get("mixed")]
        assert mixed
        assert any("with" in token for token in mixed)
        for token in mixed:
            assert sum(p for _, p in token.get("shares", [["", 1.0]])) == pytest.approx(1, abs=0.02)


def test_page_escapes_labels_and_text(blank_en):
    doc = blank_en.make_doc("a <b> & c")
    doc.set_ents([Span(doc, 0, 1, label="<img src=x onerror=alert(1)>")])
    shown = _entities(doc)
    assert "<img" not in shown
    assert "<b>" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown


def test_page_without_its_pool(run_dir, tmp_path):
    (tmp_path / "pool.spacy").unlink()
    text = write_report([str(run_dir)], tmp_path / "out", "A run", "x").read_text("utf8")
    assert '"parents":[]' in text
    assert re.search(r"parents of 33 mixed docs of .*mmix.* are not shown: the pool", text)


def test_page_shows_parents_that_people_labelled(run_dir, tmp_path, news, blank_en):
    """The pool has texts, and was given more files since: their numbers come last."""
    (tmp_path / "pool.spacy").unlink()
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "b.txt").write_text("\n".join(doc.text for doc in news))
    (texts / "a.txt").write_text("A file that came later.")
    inputs = {"pool": [[[str(texts / "b.txt"), ""]], [[str(texts / "a.txt"), ""]]]}
    (run_dir / "inputs.json").write_text(json.dumps(inputs))
    config = f'[nlp]\nlang = "en"\n[active]\npool = ["{texts}/*.txt"]\nseed = 0\n'
    (run_dir / "config.cfg").write_text(config)
    answers = AnswerFile(run_dir / "answers.jsonl")
    for number, doc in enumerate(news):
        text = blank_en.make_doc(doc.text)
        mixed = AnswerRecord.of(Answer(task_key(number, doc.text), doc), text, 0)
        text.set_ents([], default="outside")
        corrected = AnswerRecord.of(Answer(mixed.key, text), text, 1)
        # of no use: it is of another text, skipped, or has a text that the pool has not by now
        other = mixed.model_copy(update={"key": f"{number}-0000000000"})
        edited = mixed.model_copy(update={"text": "?", "spans": ()})
        skipped = AnswerRecord.of(Answer(mixed.key, None), text, 1)
        answers.append(other, edited, mixed, corrected, skipped)
    (arm,), _ = read_arms([str(run_dir)])
    examples, notes = mixed_examples([arm])
    assert not notes
    assert len(examples) == 33
    assert all("<mark" in one["parents"][0]["html"] for one in examples)
    # Without the file that came later, nothing is lost; without the first one, all numbers are.
    (texts / "a.txt").unlink()
    assert not mixed_examples([arm])[1]
    (texts / "a.txt").write_text("A file that came later.")
    (texts / "b.txt").unlink()
    assert re.search("parents of 33 mixed docs", mixed_examples([arm])[1][0])


def test_page_makes_the_docs_that_were_asked_alone(run_dir, tmp_path, news, monkeypatch):
    docs = [Doc(news[0].vocab, words=[f"Word{i}"]) for i in range(300)]
    pool = DocBin(docs=[*news, *docs], store_user_data=True)
    pool.to_disk(tmp_path / "pool.spacy")
    keyed = []
    monkeypatch.setattr(
        "spacy_seqmix.report.examples.by_key", lambda docs: keyed.extend(docs) or by_key(docs)
    )
    (arm,), _ = read_arms([str(run_dir)])
    assert not mixed_examples([arm])[1]
    assert [doc.text for doc in keyed] == [doc.text for doc in [*news, *docs][:200]]


def test_page_shows_a_copy_with_its_one_parent(run_dir, tmp_path, news, blank_en):
    mixer = Mixer(make_duplication(), make_interpolated(), rate=0.5)
    mixed, _ = mix_docs(news, mixer, np.random.default_rng(0), blank_en)
    path = run_dir / "mixed" / "round-00.spacy"
    DocBin(docs=mixed, store_user_data=True).to_disk(path)
    (arm,), _ = read_arms([str(run_dir)])
    examples, _ = mixed_examples([arm])
    copies = [one for one in examples if one["round"] == 0]
    assert copies
    assert all([parent["share"] for parent in one["parents"]] == [1.0] for one in copies)


def test_page_data_can_not_end_its_script(run_dir):
    arms, _ = read_arms([str(run_dir)])
    report = summarise_arms(arms, baselines_of(arms, None))
    example = [{"text": "<!-- <script> </script>", "parents": []}]
    text = to_html(report, make_facts("T", "x", arms), [], {}, example)
    assert len(re.findall("<script", text)) == 2
    data = re.search(r'id="data">(.*?)</script>', text, re.DOTALL).group(1)
    assert json.loads(data)["examples"] == example


def test_page_has_arms_of_any_name(run_dir, tmp_path):
    names = ["a=${x_}, b=${y}^", "_hidden"]
    given = [f"{name}={run_dir}" for name in names]
    text = write_report(given, tmp_path / "out", "Names", "x").read_text("utf8")
    pictures = "".join(re.findall("<svg.*?</svg>", text, re.DOTALL))
    assert all(name in pictures for name in names)


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@pytest.mark.parametrize("width", [500, 1400])
def test_page_works_in_a_browser(page, tmp_path, width):
    text = page.read_text("utf8")
    text = text.replace("<body>", "<body>" + SCRIPT).replace("</body>", STEPS + "</body>")
    (tmp_path / "page.html").write_text(text, "utf8")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--dump-dom",
        f"--window-size={width},900",
    ]
    options += [f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr"]
    done = subprocess.run(
        [str(CHROMIUM), *options, (tmp_path / "page.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in done.stderr
    assert "ERROR " not in re.search("<title>(.*?)</title>", done.stdout).group(1)
    found = json.loads(re.search("RESULTS(.*?)END", done.stdout, re.DOTALL).group(1))
    first, articles, more, org, every, none, empty, again, *chosen = found["results"]
    one_round, ordered, rejected = chosen
    assert (first, articles) == ("20 of 33 mixed docs", 20)
    assert more == "33 of 33 mixed docs"
    assert 0 < int(org.split(" of ")[1].split()[0]) < 33
    assert every == again == "20 of 33 mixed docs"
    assert (none, empty) == ("0 of 0 mixed docs", 0)
    assert one_round == ordered == "18 of 18 mixed docs"
    assert rejected == "3 of 3 mixed docs"
    # what is too wide scrolls in its own frame; and the keyboard reaches what can be worked
    assert (found["wide"], found["skipped"]) == (0, 0)
    # panels beside each other are too small to read on a phone
    assert found["shapes"] == ["tall" if width == 500 else "wide"]
    assert found["numbers"]
    assert all(re.search(r"( [A-Z-]+ \d\.\d\d,?){2,}$", text) for text in found["numbers"])
    assert found["legend"] == ["LOC", "MISC", "ORG", "PER", "outside"]
