"""The page in a real browser, over a loop that is played."""

from __future__ import annotations

import re
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from spacy_seqmix.annotate.training import Training
from spacy_seqmix.annotation.texts import task_key

from ..browser import CHROMIUM, sync_api
from .fake_loop import TEXTS, FakeLoop
from .person import READS, Person

STATIC = Path(__file__).parents[2] / "spacy_seqmix" / "annotate" / "page" / "static"
SUGGEST = {
    "Mara Quill": ("PER", 0.97),
    "Port Elder": ("PER", 0.41),
    "Peter Novak": ("PER", 0.8),
    "Rain": ("LOC", 0.35),
}
NAMES = {
    "Mara Quill": "PER",
    "Port Elder": "LOC",
    "Oslo": "LOC",
    "The Harbour Trust": "ORG",
    "Peter Novak": "PER",
    "Turin": "LOC",
    "Ana Lunt": "PER",
    "Geneva": "LOC",
    "Leeds Rovers": "ORG",
    "Inter Cadiz": "ORG",
}
GOLD = {
    text: [
        (text.index(n), text.index(n) + len(n), label) for n, label in NAMES.items() if n in text
    ]
    for text in TEXTS
}


def wait_until(condition, seconds=20.0):
    """Wait for something that the server does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def loop(tmp_path):
    return FakeLoop(tmp_path / "run")


@pytest.fixture
def link(loop):
    with loop.served() as link:
        yield link


@pytest.fixture
def tab(browser, link):
    """A page that is open, and whose scripts may not fail."""
    with browser.new_context() as context:
        page = opened(context, link)
        yield page
        assert page.problems == []


def opened(context, link):
    page = context.new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(link)
    page.wait_for_selector("#text[data-key]:not([data-key=''])")
    return page


@contextmanager
def left_open(browser, loop):
    """A tab of a run whose server has ended, and the port that this server had."""
    with browser.new_context() as context:
        with loop.served() as link:
            tab = opened(context, link)
        yield tab, urlsplit(link).port


def shown(page):
    """The text that the page shows."""
    return page.evaluate("() => document.getElementById('text').dataset.key")


def press(page, *keys):
    for key in keys:
        if key in ("Enter", "s"):  # the page does not take them before a text can be read
            page.wait_for_timeout(READS)
        page.keyboard.press(key)


def saved(page):
    page.wait_for_function("() => document.getElementById('saved').textContent === 'saved'")


def entities(page):
    return page.locator("#text .entity").all_inner_texts()


def test_page_browser_labels_by_keyboard(tab, loop):
    assert shown(tab) == loop.key(0)
    assert "token" not in tab.url
    press(tab, "ArrowRight", "Shift+ArrowRight", "1")
    press(tab, *["ArrowRight"] * 3, "Shift+ArrowRight", "l", "ArrowRight", "ArrowRight", "Space")
    press(tab, "Enter")
    tab.wait_for_function(f"() => document.getElementById('text').dataset.key === '{loop.key(1)}'")
    press(tab, "Enter", "s")
    wait_until(lambda: len(loop.answers()) == 3)
    assert loop.given() == {
        TEXTS[0]: [("Mara Quill", "PER"), ("Port Elder", "LOC"), ("Oslo", "LOC")],
        TEXTS[1]: [],
    }
    assert loop.answers()[2].skipped
    assert all(answer.seconds is not None for answer in loop.answers())


def test_page_browser_person_labels_from_gold_and_from_suggestions(browser, link, loop):
    texts = {task_key(i, text): text for i, text in enumerate(TEXTS)}
    wanted = {t: [(t[s:e], label) for s, e, label in spans] for t, spans in GOLD.items()}
    with browser.new_context() as context:
        person = Person(context.new_page(), GOLD, texts)
        person.open(link)
        without = sum(done.presses for done in person.label(len(TEXTS)))
        wait_until(lambda: loop.given() == wanted)
        assert len(person.pauses()) == len(TEXTS) - 1
    perfect = {t[s:e]: (label, 0.9) for t, spans in GOLD.items() for s, e, label in spans}
    wrong = {**perfect, "Mara Quill": ("ORG", 0.5), "Rain": ("PER", 0.4), "quit": ("PER", None)}
    loop.file.path.unlink()
    loop.ask(round_=1, suggest=wrong)
    with loop.served() as link2, browser.new_context() as context:
        person = Person(context.new_page(), GOLD, texts)
        person.open(link2)
        done = person.label(len(TEXTS))
        wait_until(lambda: loop.given() == wanted)
        assert sum(one.presses for one in done) < without / 2
        assert [one.suggested for one in done] == [3, 0, 3, 2, 1, 2]


def test_page_browser_shows_suggestions_and_their_confidence(tab, loop):
    loop.ask(round_=1, suggest=SUGGEST)
    tab.reload()
    tab.wait_for_selector(".entity")
    low, high = tab.locator(".entity", has_text="Port"), tab.locator(".entity", has_text="Mara")
    assert re.search(r"\blow\b", low.get_attribute("class"))
    assert re.search(r"\bhigh\b", high.get_attribute("class"))
    assert low.get_attribute("title") == "PER, suggested, 41% sure"
    assert entities(tab) == ["Mara QuillPER97%", "Port ElderPER41%"]
    press(tab, "Tab", "Tab", "3", "Enter")
    wait_until(loop.answers)
    assert loop.given()[TEXTS[0]] == [("Mara Quill", "PER"), ("Port Elder", "LOC")]
    (answer,) = loop.answers()
    assert answer.shown == ((0, 10, "PER", 0.97), (21, 31, "PER", 0.41))


def test_page_browser_undoes_and_goes_back(tab, loop):
    press(tab, "ArrowRight", "p", "ArrowRight", "o", "Backspace", "u", "u")
    assert entities(tab) == ["MaraPER"]
    press(tab, "Control+z")
    assert entities(tab) == []
    press(tab, "Enter", "ArrowRight", "p", "Enter")
    saved(tab)
    press(tab, "ArrowRight", "l")  # a third text is begun
    press(tab, "u", "u")
    assert shown(tab) == loop.key(1)
    assert entities(tab) == ["NobodyPER"]
    press(tab, "u")
    assert shown(tab) == loop.key(0)
    press(tab, "ArrowRight", "o", "Enter")
    assert shown(tab) == loop.key(2)
    wait_until(lambda: loop.given() == {TEXTS[1]: [("Nobody", "PER")], TEXTS[0]: [("Mara", "ORG")]})
    assert len(loop.answers()) == 3


def test_page_browser_has_a_list_of_what_was_done(tab, loop):
    press(tab, "Enter", "s")
    saved(tab)
    press(tab, "h")
    tab.wait_for_selector("#done-list li:nth-child(2)")
    first = tab.locator("#done-list button").first
    assert "skipped" in first.inner_text()
    first.click()
    assert shown(tab) == loop.key(1)
    press(tab, "ArrowRight", "p", "Enter")
    assert shown(tab) == loop.key(2)
    wait_until(lambda: loop.given().get(TEXTS[1]) == [("Nobody", "PER")])
    tab.locator("#done-list button").nth(1).click()
    press(tab, "Escape")
    assert shown(tab) == loop.key(2)
    assert len(loop.answers()) == 3


def test_page_browser_loses_nothing_without_a_connection(browser, link, loop):
    with browser.new_context() as context:
        tab = opened(context, link)
        tab.wait_for_timeout(300)  # the next texts are there
        context.set_offline(True)
        press(tab, "ArrowRight", "p", "Enter", "Enter")
        tab.wait_for_selector("#banner:not([hidden])")
        assert "2 answers are kept in this browser" in tab.inner_text("#banner")
        assert shown(tab) == loop.key(2)
        assert loop.answers() == []
        context.set_offline(False)
        tab.reload()  # what waits is in the browser's storage
        wait_until(lambda: len(loop.answers()) == 2)
        tab.wait_for_selector("#banner", state="hidden")
        tab.wait_for_function(
            f"() => document.getElementById('text').dataset.key === '{loop.key(2)}'"
        )
    assert loop.given() == {TEXTS[0]: [("Mara", "PER")], TEXTS[1]: []}


def test_page_browser_gives_no_answer_to_the_server_of_another_run(browser, loop, tmp_path):
    # The run ends, another one is opened at its port, and then the first goes on.
    other = FakeLoop(tmp_path / "other")
    with left_open(browser, loop) as (tab, port):
        with other.served(name="other", port=port) as link:
            opened(tab.context, link).close()
            press(tab, "ArrowRight", "p", "Enter")
            tab.wait_for_function("() => document.body.innerText.includes('[S692]')")
            assert "1 answer is kept in this browser" in tab.inner_text("#banner")
            assert (loop.answers(), other.answers()) == ([], [])
        with loop.served(port=port):
            wait_until(loop.answers)
    assert loop.given() == {TEXTS[0]: [("Mara", "PER")]}
    assert other.answers() == []


def test_page_browser_keeps_what_was_begun_over_a_reload(tab, loop):
    press(tab, "ArrowRight", "p")
    tab.reload()
    tab.wait_for_selector(".entity")
    assert (shown(tab), entities(tab)) == (loop.key(0), ["MaraPER"])
    press(tab, "Enter")
    wait_until(loop.answers)
    assert loop.given() == {TEXTS[0]: [("Mara", "PER")]}


def test_page_browser_gives_two_tabs_different_texts(browser, link, loop):
    with browser.new_context() as context, browser.new_context() as other:
        tabs = [opened(context, link), opened(other, link)]
        assert shown(tabs[0]) != shown(tabs[1])
        for _ in range(len(TEXTS)):
            for page in tabs:
                press(page, "Enter")
                page.wait_for_timeout(50)
        wait_until(lambda: len(loop.answers()) == len(TEXTS))
    assert {answer.key for answer in loop.answers()} == {loop.key(i) for i in range(len(TEXTS))}


def test_page_browser_works_by_touch(browser, link, loop):
    phone = {"viewport": {"width": 400, "height": 750}, "has_touch": True, "is_mobile": True}
    with browser.new_context(**phone) as context:
        tab = opened(context, link)
        assert tab.evaluate("() => document.documentElement.scrollWidth") <= 400
        for size in tab.locator(".controls button").all():
            box = size.bounding_box()
            assert min(box["width"], box["height"]) >= 44
        for i in (0, 1):  # a word, and the one beside it
            tab.locator(f"[data-i='{i}']").tap()
        tab.locator("[data-label=PER]").tap()
        tab.locator("[data-i='4']").tap()
        tab.locator("[data-label=LOC]").tap()
        tab.locator("#remove").tap()
        tab.locator("#undo").tap()
        assert entities(tab) == ["Mara QuillPER", "PortLOC"]
        tab.locator("#open-side").tap()
        tab.wait_for_selector("#progress h2")
        tab.locator("#close-side").tap()
        tab.wait_for_timeout(READS)
        tab.locator("#accept").tap()
        wait_until(loop.answers)
        tab.wait_for_timeout(READS)
        tab.locator("#skip").tap()
        wait_until(lambda: len(loop.answers()) == 2)
        assert tab.problems == []
    assert loop.given() == {TEXTS[0]: [("Mara Quill", "PER"), ("Port", "LOC")]}


def test_page_browser_selects_by_dragging(tab, loop):
    first, last = (tab.locator(f"[data-i='{i}']").bounding_box() for i in (1, 0))
    tab.mouse.move(first["x"] + 5, first["y"] + 5)
    tab.mouse.down()
    tab.mouse.move(last["x"] + 5, last["y"] + 5, steps=4)
    tab.mouse.up()
    press(tab, "p", "Enter")
    wait_until(loop.answers)
    assert loop.given() == {TEXTS[0]: [("Mara Quill", "PER")]}


@pytest.mark.parametrize(
    ("lang", "text", "keys", "wanted"),
    [
        # In a text from right to left, the arrow to the left leads on.
        ("ar", "التقت ليلى حداد في القاهرة.", ["ArrowLeft"] * 2 + ["Shift+ArrowLeft"], "ليلى حداد"),
        ("zh", "昨天李娜在北京。", ["ArrowRight"] * 3 + ["Shift+ArrowRight"], "李娜"),
        ("en", "A\tlost 👩‍🚀\u00a0of\r \u200fX.", ["End", "ArrowLeft"], "of"),
    ],
)
def test_page_browser_reads_every_script(browser, tmp_path, lang, text, keys, wanted):
    loop = FakeLoop(tmp_path / "run", [text], lang=lang)
    with loop.served() as link, browser.new_context() as context:
        tab = opened(context, link)
        press(tab, *keys, "1", "Enter")
        wait_until(loop.answers)
        assert tab.problems == []
    assert loop.given() == {text: [(wanted, "PER")]}


def test_page_browser_escapes_texts_and_labels(browser, tmp_path):
    text = '<img src=x onerror="document.title=1"> & <script>alert(1)</script>'
    loop = FakeLoop(tmp_path / "run", [text], labels=["<b>x</b>"])
    with loop.served() as link, browser.new_context() as context:
        tab = opened(context, link)
        assert tab.inner_text("#text") == text
        press(tab, "ArrowRight", "1")
        assert tab.locator("#text img, #text script, b").count() == 0
        assert tab.inner_text(".tag") == "<b>x</b>"
        assert tab.problems == []


def test_page_browser_keeps_the_selection_of_a_long_text_in_view(browser, tmp_path):
    loop = FakeLoop(tmp_path / "run", ["Mara left Oslo. " * 500])
    with loop.served() as link, browser.new_context() as context:
        tab = opened(context, link)
        assert tab.locator("#text .word").count() >= 2000
        press(tab, "End")
        end = tab.evaluate("() => document.querySelector('.on').getBoundingClientRect().bottom")
        frame = tab.evaluate(
            "() => document.getElementById('scroll').getBoundingClientRect().bottom"
        )
        assert end <= frame
        press(tab, "Home")
        assert tab.evaluate("() => document.getElementById('scroll').scrollTop") == 0


def test_page_browser_goes_on_while_a_model_trains(browser, tmp_path):
    loop = FakeLoop(tmp_path / "run", n=2)
    with loop.served() as link, browser.new_context() as context:
        tab = opened(context, link)
        press(tab, "Enter", "Enter")
        loop.status("train")
        assert shown(tab) == loop.key(2)
        assert "For the next batch" in tab.inner_text("#meta")
        tab.wait_for_selector("#batch.busy")
        with tab.expect_response("**/api/texts"):
            loop.ask(round_=1, suggest=SUGGEST, numbers=[5, 4, 2])
        # The text that is shown stays, those behind it are of the new model.
        tab.wait_for_function("() => document.getElementById('round').textContent === 'Round 2'")
        assert shown(tab) == loop.key(2)
        tab.wait_for_timeout(200)
        press(tab, "Enter")
        assert shown(tab) == loop.key(5)
        press(tab, "Enter")
        assert entities(tab) == ["RainLOC35%"]
        press(tab, "Enter")
        tab.wait_for_selector("#waiting:not([hidden])")
        wait_until(lambda: len(loop.answers()) == 5)
        assert tab.problems == []


def test_page_browser_shows_why_the_training_stopped_and_starts_it_again(browser, loop):
    training = Training(loop.run_dir / "c.cfg", loop.run_dir)
    training.command = [sys.executable, "-c", "print('[S999] no <b>memory'); raise SystemExit(1)"]
    training.start()
    with loop.served(training=training) as link, browser.new_context() as context:
        tab = opened(context, link)
        tab.wait_for_selector("#banner:not([hidden])")
        assert "The training has stopped: [S999] no <b>memory" in tab.inner_text("#banner")
        press(tab, "Enter")  # one can go on
        wait_until(loop.answers)
        training.command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
        tab.click("#banner-buttons button")
        tab.wait_for_selector("#banner", state="hidden")
        assert training.is_alive
        assert tab.problems == []
    training.stop()


def test_page_browser_keeps_what_a_full_disk_does_not_take(tab, loop, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        press(tab, "ArrowRight", "p", "Enter", "Enter")
        tab.wait_for_selector("#banner:not([hidden])")
        wait_until(lambda: "2 answers are kept in this browser" in tab.inner_text("#banner"))
        assert "No space left on device" in tab.inner_text("#banner")
    assert loop.answers() == []
    wait_until(lambda: len(loop.answers()) == 2)
    tab.wait_for_selector("#banner", state="hidden")
    assert loop.given() == {TEXTS[0]: [("Mara", "PER")], TEXTS[1]: []}


def test_page_browser_counts_and_explains_blind_texts(browser, loop):
    loop.ask(round_=1, suggest=SUGGEST)
    with loop.served(loop.desk(blind=1.0)) as link, browser.new_context() as context:
        tab = opened(context, link)
        assert entities(tab) == []
        assert "Without suggestions" in tab.inner_text("#meta")
        press(tab, "Enter")
        wait_until(loop.answers)
        tab.wait_for_selector("text=Do suggestions mislead?")
    (answer,) = loop.answers()
    assert (answer.blind, answer.shown, len(answer.hidden)) == (True, None, 2)


def test_page_browser_adds_a_label(tab, loop):
    press(tab, "Enter")
    saved(tab)
    tab.click("[aria-label='Add a label']")
    tab.fill("#new-label-name", "DATE")
    press(tab, "Enter")
    tab.wait_for_selector("[data-label=DATE]")
    press(tab, "ArrowRight", "4", "Enter")
    wait_until(lambda: len(loop.answers()) == 2)
    assert loop.given()[TEXTS[1]] == [("Nobody", "DATE")]
    assert tab.locator("#filter option").all_inner_texts() == [
        "everything",
        "skipped",
        *(f"with {label}" for label in ("PER", "ORG", "LOC", "DATE")),
        "labelled before DATE existed (1)",
    ]


def test_page_browser_shows_the_curve(tab, loop):
    scores = [{"ents_p": f, "ents_r": f, "ents_f": f} for f in (0.4, 0.625)]
    loop.journal(*({"n_labelled": 20 * i, "scores": {"dev": s}} for i, s in enumerate(scores, 1)))
    tab.wait_for_selector("svg.curve")
    assert "62.5" in tab.inner_text("#progress")
    assert tab.get_attribute("svg.curve", "aria-label").endswith("20 texts: 40.0; 40 texts: 62.5")


def test_page_browser_needs_nothing_but_its_own_files(browser, link):
    with browser.new_context() as context:
        page = context.new_page()
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(link)
        page.wait_for_selector(".word")
        base = link.partition("?")[0]
        assert all(url.startswith(base) for url in asked)


def rgb(colour):
    """Red, green and blue, 0 to 1."""
    digits = colour.lstrip("#")
    digits = "".join(2 * sign for sign in digits) if len(digits) == 3 else digits
    return [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]


def contrast(one, other):
    """As the Web Content Accessibility Guidelines measure it."""
    light = [
        sum(
            share * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)
            for share, c in zip((0.2126, 0.7152, 0.0722), colour, strict=True)
        )
        for colour in (one, other)
    ]
    return (max(light) + 0.05) / (min(light) + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_page_browser_colours_can_be_read(mode):
    css = (STATIC / "page.css").read_text("utf8")
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    values = {}
    for block in blocks[: 1 if mode == "light" else 2]:
        values |= dict(re.findall(r"--([\w-]+): ([^;]+);", block))
    card, ink, tint = rgb(values["card"]), rgb(values["ink"]), float(values["tint"][:-1]) / 100
    for name in (f"c{i}" for i in range(8)):
        mixed = [tint * a + (1 - tint) * b for a, b in zip(rgb(values[name]), card, strict=True)]
        assert contrast(ink, mixed) >= 4.5, name
    for text, ground in [
        ("quiet", "paper"),
        ("quiet", "card"),
        ("quiet", "key"),
        ("accent", "paper"),
        ("on-accent", "accent"),
        ("ink", "select"),
        ("ink", "alarm"),
        ("up", "paper"),
        ("down", "paper"),
    ]:
        assert contrast(rgb(values[text]), rgb(values[ground])) >= 4.5, (text, ground)


def test_page_browser_files_are_in_the_package():
    names = {path.name for path in STATIC.iterdir()}
    used = set(
        re.findall(
            r'(?:from "\./|(?:src|href)="/)([\w.]+)"',
            "".join(p.read_text("utf8") for p in STATIC.iterdir()),
        )
    )
    assert used <= names
