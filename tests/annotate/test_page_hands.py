"""What a first user's hands did: drags, keys, second thoughts, small windows."""
# ruff: noqa: F811

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from spacy_seqmix.annotate.training import Training

from ..browser import sync_api  # noqa: F401  (it skips this file without a browser)
from .fake_loop import TEXTS, FakeLoop
from .person import READS
from .test_page_browser import (  # noqa: F401
    SUGGEST,
    browser,
    entities,
    link,
    loop,
    opened,
    press,
    saved,
    shown,
    tab,
    wait_until,
)

MANY = [f"LABEL_{i}" for i in range(40)]


def focus(page):
    return page.evaluate("() => document.activeElement.id")


def selected(page):
    return page.locator("#text [data-i].on").all_inner_texts()


def middle(page, selector):
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_page_hands_drag_ends_outside_the_text(tab):
    tab.mouse.move(*middle(tab, "[data-i='0']"))
    tab.mouse.down()
    tab.mouse.move(*middle(tab, "[data-i='1']"))
    tab.mouse.move(*middle(tab, "#skip"))
    tab.mouse.up()
    tab.mouse.move(*middle(tab, "[data-i='4']"))
    assert selected(tab) == ["Mara", "Quill"]


def test_page_hands_drag_ends_outside_the_window(tab):
    word = tab.locator("[data-i='4']")
    tab.mouse.move(*middle(tab, "[data-i='0']"))
    tab.mouse.down()
    # The button was let go where the page does not hear it.
    x, y = middle(tab, "[data-i='4']")
    word.dispatch_event("pointermove", {"buttons": 0, "clientX": x, "clientY": y, "bubbles": True})
    assert selected(tab) == ["Mara"]
    tab.mouse.up()


def test_page_hands_skip_by_mistake_keeps_suggestions_and_work(tab, loop):
    loop.ask(round_=1, suggest=SUGGEST)
    tab.reload()
    tab.wait_for_selector(".entity")
    press(tab, "s", "u")
    assert shown(tab) == loop.key(0)
    assert entities(tab) == ["Mara QuillPER97%", "Port ElderPER41%"]
    assert tab.inner_text("#accept-text") == "Save"
    press(tab, "Tab", "Tab", "3", "s", "u")
    assert entities(tab) == ["Mara QuillPER97%", "Port ElderLOC"]
    press(tab, "u")
    assert entities(tab) == ["Mara QuillPER97%", "Port ElderPER41%"]
    press(tab, "Escape", "Escape")
    tab.reload()  # the same from the server's answers
    tab.wait_for_selector("#text[data-key]:not([data-key=''])")
    press(tab, "u")
    tab.wait_for_selector("#card.correcting")
    assert entities(tab) == ["Mara QuillPER97%", "Port ElderPER41%"]
    press(tab, "Enter")
    wait_until(lambda: loop.given().get(TEXTS[0]) is not None)
    assert loop.given()[TEXTS[0]] == [("Mara Quill", "PER"), ("Port Elder", "PER")]
    assert loop.answers()[-1].shown == ((0, 10, "PER", 0.97), (21, 31, "PER", 0.41))


def test_page_hands_escape_keeps_the_changes_of_a_correction(tab, loop):
    press(tab, "Enter", "Enter")
    saved(tab)
    press(tab, "u", "ArrowRight", "p", "Escape")
    assert (shown(tab), selected(tab)) == (loop.key(1), [])
    assert "not saved" in tab.inner_text("#meta")
    press(tab, "Escape")
    assert shown(tab) == loop.key(2)
    tab.wait_for_timeout(2500)  # the state comes again meanwhile
    assert "Nobody came." in tab.inner_text("#banner-text")
    press(tab, "h")
    tab.wait_for_selector("#done-list li")
    items = tab.locator("#done-list li").all_inner_texts()
    assert ["changes not saved" in one for one in items] == [True, False]
    tab.click("#banner-buttons button")
    assert (shown(tab), entities(tab)) == (loop.key(1), ["NobodyPER"])
    assert tab.is_hidden("#banner")
    press(tab, "u")
    assert entities(tab) == []
    assert "not saved" not in tab.inner_text("#meta")
    press(tab, "u")  # nothing is left to undo: the text before
    assert shown(tab) == loop.key(0)
    assert tab.is_hidden("#banner")


def test_page_hands_another_text_of_the_list_keeps_the_changes(tab, loop):
    press(tab, "Enter", "Enter")
    saved(tab)
    press(tab, "u", "ArrowRight", "p")
    tab.click("#tab-done")
    tab.locator("#done-list button").nth(1).click()
    assert shown(tab) == loop.key(0)
    assert "not saved" in tab.inner_text("#banner-text")
    tab.click("#banner-buttons button")
    assert entities(tab) == ["NobodyPER"]
    press(tab, "Enter")
    wait_until(lambda: loop.given()[TEXTS[1]] == [("Nobody", "PER")])


def test_page_hands_undo_after_a_reload_undoes(tab, loop):
    press(tab, "Enter", "ArrowRight", "p")
    saved(tab)
    tab.reload()
    tab.wait_for_selector(".entity")
    press(tab, "u")
    tab.wait_for_function("() => !document.querySelector('#text .entity')")
    assert shown(tab) == loop.key(1)


def test_page_hands_phone_can_leave_a_correction(browser, link, loop):
    phone = {"viewport": {"width": 360, "height": 700}, "has_touch": True, "is_mobile": True}
    with browser.new_context(**phone) as context:
        tab = opened(context, link)
        assert tab.is_hidden("#leave")
        tab.wait_for_timeout(READS)
        tab.locator("#accept").tap()
        tab.locator("#undo").tap()
        assert shown(tab) == loop.key(0)
        tab.locator("#leave").tap()
        assert shown(tab) == loop.key(1)
        assert tab.evaluate("() => document.documentElement.scrollWidth") <= 360
        for button in tab.locator(".top button:visible, .controls button").all():
            box = button.bounding_box()
            assert min(box["width"], box["height"]) >= 44
        assert tab.problems == []


def test_page_hands_keys_work_on_after_the_side_bar(tab, loop):
    tab.click("#tab-done")
    press(tab, "ArrowRight", "p", "Enter")
    assert shown(tab) == loop.key(1)
    tab.click("#tab-progress")
    press(tab, "Enter")
    assert shown(tab) == loop.key(2)
    saved(tab)
    press(tab, "h")
    tab.wait_for_function("() => document.activeElement.closest('#done-list')")
    press(tab, "ArrowDown")
    assert "Mara" in tab.evaluate("() => document.activeElement.textContent")
    press(tab, "ArrowUp", "Escape")
    assert focus(tab) == "text"
    press(tab, "Enter")
    assert shown(tab) == loop.key(3)


def test_page_hands_new_label_goes_to_the_selection(tab):
    press(tab, "ArrowRight")
    tab.click("#add-label")
    tab.fill("#new-label-name", " PER ")
    press(tab, "Enter")
    assert "already" in tab.inner_text("#new-label-error")
    tab.fill("#new-label-name", "DATE")
    press(tab, "Enter")
    tab.wait_for_selector("#text .entity")
    assert entities(tab) == ["MaraDATE"]
    assert focus(tab) == "text"
    tab.click("#add-label")
    assert tab.is_hidden("#new-label-error")
    press(tab, "Escape")
    tab.wait_for_function("() => document.activeElement.id === 'text'")


def test_page_hands_wait_without_a_server_names_it(browser, link, loop):
    with browser.new_context() as context:
        tab = opened(context, link)
        tab.wait_for_timeout(300)
        context.set_offline(True)
        for _ in range(4):
            press(tab, "Enter")
        tab.wait_for_selector("#banner:not([hidden])")
        assert "once the server can be reached" in tab.inner_text("#waiting-text")
        context.set_offline(False)
        wait_until(lambda: len(loop.answers()) == 4)
        assert tab.problems == []


def test_page_hands_more_texts_are_at_hand_in_a_large_batch(browser, tmp_path):
    loop = FakeLoop(tmp_path / "run", [f"Mara left {i}." for i in range(40)])
    with loop.served() as link, browser.new_context() as context:
        tab = opened(context, link)
        tab.wait_for_timeout(2500)
        context.set_offline(True)
        for i in range(10):
            press(tab, "Enter")
            assert shown(tab) == loop.key(i + 1)
        context.set_offline(False)


def test_page_hands_side_bar_stays_while_nothing_changes(tab, loop):
    tab.wait_for_selector("#progress section")
    tab.evaluate("() => { window.before = [...document.querySelectorAll('#progress section')]; }")
    press(tab, "Enter")
    tab.wait_for_selector("#progress .big:has-text('1 text')")
    same = tab.evaluate(
        "() => [...document.querySelectorAll('#progress section')].map((n, i) => n === before[i])"
    )
    # The counts, the score, the model; and what is asked, with the number of texts that are left.
    assert same == [False, True, True, False]


@pytest.mark.parametrize(("bound", "said"), [(0.31, False), (0.12, True)])
def test_page_hands_wide_bound_is_not_said(tab, loop, bound, said):
    state = tab.evaluate("async () => (await import('/outbox.js')).ask('state', {tab: 'x'})")
    advice = {"docs": 9, "agreement": 0.9, "kappa": None, "bound": bound, "stop": False}
    state.update(advice=advice)
    text = tab.evaluate(
        "async (state) => { const root = document.createElement('div');"
        " (await import('/side.js?again')).drawProgress(root, state); return root.textContent; }",
        state,
    )
    assert ("F1 has changed by at most" in text) is said


def test_page_hands_copy_says_that_it_copied(browser, link, loop):
    (loop.run_dir / "model-last").mkdir(exist_ok=True)
    loop.journal({"n_labelled": 20, "scores": {}})
    with browser.new_context() as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        tab = opened(context, link)
        tab.click("#progress button")
        tab.wait_for_function(
            "() => document.querySelector('#progress button').textContent === 'Copied'"
        )
        assert "model-last" in tab.evaluate("() => navigator.clipboard.readText()")
        assert tab.evaluate("() => document.activeElement.textContent").startswith("Cop")
        pre = tab.locator("pre")
        assert pre.evaluate("(node) => node.scrollWidth <= node.clientWidth")


def test_page_hands_says_that_late_changes_reach_no_model(browser, loop):
    training = Training(Path("label.cfg"), loop.run_dir)
    training.command = [sys.executable, "-c", ""]
    training.start()
    wait_until(lambda: training.has_finished)
    training.stop()  # closes its pipe
    with loop.served(training=training) as link, browser.new_context() as context:
        tab = opened(context, link)
        press(tab, "Enter", "u")
        assert "this pipeline does not learn it" in tab.inner_text("#meta")
        press(tab, "Enter")
        tab.click("#add-label")
        assert "does not learn it" in tab.inner_text("#new-label")
        press(tab, "Escape")
        tab.wait_for_function("() => document.activeElement.id === 'text'")
        for _ in range(20):  # a text may be on its way
            if tab.locator("#waiting").is_visible():
                break
            press(tab, "Enter")
            tab.wait_for_timeout(100)
        tab.wait_for_selector("#waiting:not([hidden])")
        assert "this pipeline does not learn it" in tab.inner_text("#waiting-text")


@pytest.mark.parametrize(("width", "height"), [(780, 360), (640, 400), (1280, 820), (360, 640)])
def test_page_hands_many_labels_leave_room(browser, tmp_path, width, height):
    loop = FakeLoop(tmp_path / "run", labels=MANY)
    with (
        loop.served() as link,
        browser.new_context(viewport={"width": width, "height": height}) as context,
    ):
        tab = opened(context, link)
        for selector in ("#accept", "#add-label", "[data-i='0']"):
            box = tab.locator(selector).bounding_box()
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= height, selector
        # What does not fit fades; at the end nothing does.
        fits = tab.evaluate(
            "() => [document.getElementById('labels')].every("
            "(l) => l.scrollHeight <= l.clientHeight + 4)"
        )
        assert tab.locator("#labels.cut").count() == (not fits)
        tab.evaluate("() => { const l = document.getElementById('labels'); l.scrollTop = 9e9; }")
        tab.wait_for_selector("#labels:not(.cut)")


def test_page_hands_filter_fits_and_counts(tab, loop):
    name = "A_VERY_LONG_LABEL_OF_A_GREAT_MANY_LETTERS_AND_SIGNS"
    press(tab, "Enter")
    saved(tab)
    tab.click("#add-label")
    tab.fill("#new-label-name", name)
    press(tab, "Enter")
    tab.click("#tab-done")
    option = tab.locator(f"#filter option[value={name}]")
    assert "(1)" in option.inner_text()
    side = tab.evaluate(
        "() => [document.getElementById('side')].map((n) => [n.scrollWidth, n.clientWidth])[0]"
    )
    assert side[0] <= side[1]
    tab.select_option("#filter", name)
    tab.locator("#done-list button").first.click()
    press(tab, "Enter")  # corrected now: it is no longer an older one
    tab.wait_for_function("() => !document.querySelector('#filter').textContent.includes('(1)')")


def test_page_hands_turned_word_does_not_turn_the_rest(browser, tmp_path):
    loop = FakeLoop(tmp_path / "run", ["Mara \u202eleft Oslo for Turin."])
    with loop.served() as link, browser.new_context() as context:
        tab = opened(context, link)
        places = [middle(tab, f"[data-i='{i}']")[0] for i in range(5)]
        assert places == sorted(places)
