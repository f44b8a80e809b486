"""What a person sees in Label Studio, in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from spacy_seqmix.annotate.label_studio.oracle import make_label_studio_oracle
from spacy_seqmix.annotation.texts import task_key
from spacy_seqmix.types import Suggestion, Task

from ..browser import CHROMIUM, sync_api
from .conftest import ANN, PASSWORD, LabelStudio
from .people import NLP, ents, tasks_of

pytestmark = pytest.mark.slow

# Emoji of several code points and of two UTF-16 units, letters with combining marks, Arabic.
TEXTS = (
    ("👩‍🚀 🙂 Ana left Oslo 🙂.", ("Ana", "Oslo")),
    ("Ame\N{COMBINING ACUTE ACCENT}lie vu\N{COMBINING DIAERESIS} Ana", ("Ana",)),
    ("قال كَرِيم 🙂 أين بغداد", ("كَرِيم", "بغداد")),
)
MARKED = '[class*="htx-highlight"]'
MILLISECONDS = 90_000


def test_label_studio_shows_suggestions_at_their_characters(
    studio: LabelStudio, tmp_path: Path
) -> None:
    tasks = []
    for n, (text, parts) in enumerate(TEXTS):
        doc = NLP.make_doc(text)
        words = [token.text for token in doc]
        shown = tuple(Suggestion(i, i + 1, "PER", 0.5) for i in map(words.index, parts))
        tasks.append(Task(task_key(n, text), doc, 1, shown, 0.1, "round-00"))
    oracle = make_label_studio_oracle(studio.url, "in a browser", ["PER"], poll=0.0)
    oracle.begin(tmp_path, NLP)
    list(oracle(tasks))
    assert oracle._project is not None
    project = oracle._project.id
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(MILLISECONDS)
        page.goto(f"{studio.url}/user/login/")
        page.fill("input[name=email]", ANN)
        page.fill("input[name=password]", PASSWORD)
        with page.expect_navigation():
            page.click("button[type=submit]")
        for text, number in tasks_of(studio, project).items():
            page.goto(f"{studio.url}/projects/{project}/data?task={number}")
            page.wait_for_selector(MARKED)
            marked = [one.inner_text() for one in page.query_selector_all(MARKED)]
            assert tuple(marked) == dict(TEXTS)[text]
            with page.expect_response(lambda answer: "/annotations" in answer.url):
                page.click("button:has-text('Submit')")
        browser.close()
    answers = {answer.key: ents(answer) for answer in oracle(tasks)}
    wanted = {task.key: dict(TEXTS)[task.doc.text] for task in tasks}
    assert answers == {key: [(part, "PER") for part in parts] for key, parts in wanted.items()}
