"""What the page shows: what stays where it is, what is cut, named, marked and said."""
# ruff: noqa: F811

from __future__ import annotations

import pytest

from ..browser import sync_api  # noqa: F401  (it skips this file without a browser)
from .fake_loop import FakeLoop
from .test_page_browser import (  # noqa: F401
    SUGGEST,
    browser,
    left_open,
    link,
    loop,
    opened,
    press,
    saved,
    tab,
    wait_until,
)
from .test_page_hands import middle, selected

LONG = "A_VERY_LONG_LABEL_OF_A_GREAT_MANY_LETTERS_AND_SIGNS"
KINDS = [f"organisation_kind_{i}" for i in range(40)]


def places(page):
    words = page.locator("#text [data-i]").all()
    return [(box["x"], box["y"]) for box in (word.bounding_box() for word in words)]


def side_bar(page, **changes):
    """What the side bar says of the server's state with some changes."""
    return page.evaluate(
        "async (changes) => { const { ask } = await import('/outbox.js');"
        " const state = { ...await ask('state', {tab: 'x'}), ...changes };"
        " const root = document.createElement('div');"
        " (await import('/side.js?' + Math.random())).drawProgress(root, state);"
        " return [...root.children].map((one) => one.textContent).join('\\n'); }",
        changes,
    )


def test_page_looks_nothing_moves_under_the_pointer(tab, loop):
    loop.ask(round_=1, suggest=SUGGEST)
    tab.reload()
    tab.wait_for_selector(".entity")
    before = places(tab)
    tab.mouse.move(*middle(tab, "[data-i='0']"))
    assert places(tab) == before
    tab.mouse.down()
    tab.mouse.up()
    assert selected(tab) == ["Mara", "Quill"]
    assert places(tab) == before


def test_page_looks_says_how_to_begin_until_a_label_was_given(tab):
    assert tab.inner_text("#meta") == "Select words, then press a label"
    press(tab, "Enter")
    assert "Select words" in tab.inner_text("#meta")
    press(tab, "ArrowRight", "p")
    assert tab.inner_text("#meta") == ""
    press(tab, "Enter")
    saved(tab)
    tab.reload()
    tab.wait_for_selector("#text[data-key]:not([data-key=''])")
    assert tab.inner_text("#meta") == ""


def test_page_looks_label_is_pressed_for_the_whole_entity_only(tab):
    chip = tab.locator("#labels [data-label=PER]")
    press(tab, "ArrowRight", "Shift+ArrowRight", "1")
    assert chip.get_attribute("aria-pressed") == "true"
    press(tab, "Shift+ArrowRight")
    assert selected(tab) == ["Mara", "Quill", "flew"]
    assert chip.get_attribute("aria-pressed") == "false"


def test_page_looks_undo_selects_what_it_changed(tab):
    press(tab, "ArrowRight", "Shift+ArrowRight", "1", "ArrowRight", "ArrowRight", "2")
    press(tab, "ArrowRight", "Control+z")
    assert selected(tab) == ["from"]
    press(tab, "Control+z")
    assert selected(tab) == ["Mara", "Quill"]
    press(tab, "1", "Backspace", "End", "Control+z")
    assert selected(tab) == ["Mara", "Quill"]


def test_page_looks_buttons_have_plain_names(tab):
    names = ["Undo", "Skip", "Remove", "No entities", "PER", "Add a label"]
    for name in names:
        assert tab.get_by_role("button", name=name, exact=True).count() == 1, name


def test_page_looks_help_opens_at_its_beginning(browser, link):
    with browser.new_context(viewport={"width": 400, "height": 500}) as context:
        tab = opened(context, link)
        press(tab, "?")
        tab.wait_for_selector("#help[open]")
        assert tab.evaluate("() => document.getElementById('help').scrollTop") == 0
        box = tab.locator("#who").bounding_box()
        assert box["y"] + box["height"] < 500
        press(tab, "Escape")
        tab.wait_for_function("() => document.activeElement.id === 'text'")


def test_page_looks_long_text_fades_until_its_end(browser, tmp_path):
    loop = FakeLoop(tmp_path / "run", ["Mara left Oslo. " * 300, "Short."])
    with loop.served() as link, browser.new_context() as context:
        tab = opened(context, link)
        assert tab.locator("#scroll.cut").count() == 1
        press(tab, "End")
        tab.evaluate("() => { document.getElementById('scroll').scrollTop = 9e9; }")
        tab.wait_for_selector("#scroll:not(.cut)")
        press(tab, "Enter")
        assert tab.locator("#scroll.cut").count() == 0


@pytest.mark.parametrize(("width", "height", "least"), [(1400, 900, 21), (400, 750, 6)])
def test_page_looks_many_labels_take_the_free_room(browser, tmp_path, width, height, least):
    loop = FakeLoop(tmp_path / "run", labels=[*KINDS, LONG])
    loop.ask(round_=1, suggest={"Mara Quill": (LONG, 0.9)})
    size = {"width": width, "height": height}
    with loop.served() as link, browser.new_context(viewport=size) as context:
        tab = opened(context, link)
        end = tab.locator("#labels").bounding_box()
        bottom = end["y"] + end["height"]
        chips = [chip.bounding_box() for chip in tab.locator(".chip[data-label]").all()]
        assert sum(box["y"] + box["height"] <= bottom for box in chips) >= least
        # What has no room or no key is cut, and named.
        assert tab.evaluate("() => document.getElementById('scroll').scrollWidth") <= width
        last = tab.locator(f"#labels [data-label={LONG}]")
        assert (last.get_attribute("title"), last.locator("kbd").count()) == (LONG, 0)
        assert tab.locator(".entity").get_attribute("title").startswith(LONG)
        assert tab.locator(".types li").last.get_attribute("title") == LONG
        # A label that is given by its key comes into view.
        press(tab, "ArrowRight", "z")
        key = tab.locator("#labels [aria-keyshortcuts=z]").bounding_box()
        assert key["y"] + key["height"] <= bottom + 4


@pytest.mark.parametrize(
    ("width", "touch", "keys"), [(1000, False, True), (800, True, True), (400, True, False)]
)
def test_page_looks_keys_show_alike_on_labels_and_buttons(browser, link, width, touch, keys):
    size = {"width": width, "height": 700}
    with browser.new_context(viewport=size, has_touch=touch, is_mobile=touch) as context:
        tab = opened(context, link)
        for selector in ("[data-label=PER] kbd", "#undo kbd"):
            assert tab.locator(selector).is_visible() is keys


def test_page_looks_list_marks_the_open_text_and_filters(tab, loop):
    press(tab, "ArrowRight", "p", "Enter", "s", "Enter")
    saved(tab)
    press(tab, "u", "h")
    tab.wait_for_selector("#done-list li:nth-child(3)")
    marked = tab.locator("#done-list [aria-current]")
    assert "Harbour" in marked.inner_text()
    press(tab, "Escape", "u")
    assert "Nobody" in marked.inner_text()
    for name, wanted in [("skipped", "Nobody"), ("with PER", "Mara")]:
        tab.select_option("#filter", label=name)
        tab.wait_for_function("() => document.querySelectorAll('#done-list li').length === 1")
        tab.wait_for_function(
            "(word) => document.getElementById('done-list').textContent.includes(word)", arg=wanted
        )
    when = tab.locator("#done-list small > span").last
    assert when.evaluate("(node) => node.scrollWidth <= node.clientWidth")


def test_page_looks_end_of_a_run_contradicts_nothing(tab):
    asked = {"policy": "NTE", "why": "Texts come first", "pool": 0, "left_out": 0, "scored": 9}
    advice = {"docs": 1, "agreement": 0.9, "kappa": None, "bound": None, "stop": False}
    model = {"path": "/r/model-last", "round": 1, "answers": "/r r/answers.jsonl", "run": "/r r"}
    loop = {"phase": "ended", "elapsed": 1, "alive": False, "finished": True, "message": None}
    curve = [{"round": 0, "labelled": 20, "f": None, "docs": 16, "set_aside": True}]
    changes = {"next": asked, "advice": advice, "model": model, "curve": curve, "dev_min": 30}
    going = side_bar(tab, **changes)
    for words in (
        "go on",
        "The score shows from 30 on",
        "Texts come first",
        "On 1 text that the last",
    ):
        assert words in going
    assert "What now?" not in going
    end = side_bar(tab, **changes, loop=loop, texts="/t.txt")
    for words in ("go on", "shows from", "Texts come first"):
        assert words not in end
    assert "Only 16 texts are set aside to measure with; a score needs 30." in end
    command = "ingest '/r r/answers.jsonl' -o labelled.spacy --model /r/model-last --pool /t.txt"
    assert command in end
    assert "report '/r r' -o report" in end


def test_page_looks_says_at_once_that_no_score_will_come(tab):
    few = side_bar(tab, most_aside=16, dev_min=30, curve=[])
    assert "This run will show no score" in few
    assert "--dev" in few
    assert "--dev" not in side_bar(tab, most_aside=30, dev_min=30, curve=[])


def test_page_looks_score_of_each_label(tab):
    point = {"round": 0, "labelled": 9, "f": 0.7, "low": None, "high": None, "set_aside": False}
    types = {"PER": {"f": 0.831, "n": 12}, "LOC": {"f": 0.5, "n": 4}}
    said = side_bar(tab, curve=[point], types=types)
    assert "PER83.1 (12)" in said.replace("\n", "")
    assert "LOC50.0 (4)" in said.replace("\n", "")


def test_page_looks_offline_without_a_text_does_not_say_go_on(browser, link, loop):
    with browser.new_context() as context:
        tab = opened(context, link)
        tab.wait_for_timeout(300)
        context.set_offline(True)
        press(tab, "Enter")
        tab.wait_for_selector("#banner:not([hidden])")
        assert "Go on labelling" in tab.inner_text("#banner")
        press(tab, *["Enter"] * 5)
        tab.wait_for_selector("#waiting:not([hidden])")
        tab.wait_for_function(
            "() => !document.getElementById('banner').textContent.includes('Go on labelling')"
        )
        assert "tries again" in tab.inner_text("#banner")
        context.set_offline(False)
        wait_until(lambda: len(loop.answers()) >= 4)


def test_page_looks_tab_of_another_run_names_its_own_server(browser, loop, tmp_path):
    other = FakeLoop(tmp_path / "other")
    with left_open(browser, loop) as (tab, port), other.served(name="other", port=port):
        press(tab, "Enter")
        tab.wait_for_selector("#banner:not([hidden])")
        assert "Start the server of this run again" in tab.inner_text("#banner")
        assert "the link that the terminal shows." not in tab.inner_text("#banner")
