"""What the page does where others, or a person's own slip, come in between."""
# ruff: noqa: F811

from __future__ import annotations

from ..browser import sync_api  # noqa: F401  (it skips this file without a browser)
from .fake_loop import TEXTS, FakeLoop
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
from .test_page_hands import selected


def banner(tab):
    return tab.inner_text("#banner-text")


def open_first(tab):
    """Open the text that was done last."""
    tab.click("#tab-done")
    tab.wait_for_selector("#done-list li")
    tab.click("#done-list li:first-child button")
    tab.wait_for_selector("#card.correcting")


def test_page_others_skip_of_a_labelled_text_can_be_taken_back(tab, loop):
    press(tab, "ArrowRight", "p", "Enter")
    saved(tab)
    open_first(tab)
    press(tab, "s")
    wait_until(lambda: loop.answers()[-1].skipped)
    assert "not used" in banner(tab)
    tab.click("#banner-buttons button")
    assert (shown(tab), entities(tab)) == (loop.key(0), ["MaraPER"])
    press(tab, "Enter")
    wait_until(lambda: loop.given() == {TEXTS[0]: [("Mara", "PER")]})
    assert not tab.is_visible("#banner")


def test_page_others_answer_does_not_replace_that_of_somebody_else(browser, link, loop):
    """Both have the text open; the first to save wins, and the other one is asked."""
    with browser.new_context() as context, browser.new_context() as other:
        ana = opened(context, link)
        press(ana, "Enter")
        saved(ana)
        ben = opened(other, link)
        open_first(ana)
        open_first(ben)
        press(ben, "ArrowRight", "p", "Enter")
        wait_until(lambda: loop.given() == {TEXTS[0]: [("Mara", "PER")]})
        press(ana, "ArrowRight", "ArrowRight", "o", "Enter")
        ana.wait_for_selector("#banner-buttons button")
        assert "in the meantime" in banner(ana)
        assert loop.given() == {TEXTS[0]: [("Mara", "PER")]}
        ana.click("text=Compare and choose")
        assert (shown(ana), entities(ana)) == (loop.key(0), ["QuillORG"])
        press(ana, "u")
        assert entities(ana) == ["MaraPER"]
        ana.click("#text [data-i='1']")
        press(ana, "l", "Enter")
        wait_until(lambda: loop.given() == {TEXTS[0]: [("Mara", "PER"), ("Quill", "LOC")]})
        assert ana.problems == ben.problems == []


def test_page_others_list_shows_the_answer_that_it_opens(browser, link, loop):
    with browser.new_context() as context, browser.new_context() as other:
        ana = opened(context, link)
        press(ana, "Enter")
        saved(ana)
        ben = opened(other, link)
        open_first(ben)
        press(ben, "ArrowRight", "p", "Enter")
        saved(ben)
        open_first(ana)
        assert entities(ana) == ["MaraPER"]
        press(ana, "Enter")
        saved(ana)
    assert loop.given() == {TEXTS[0]: [("Mara", "PER")]}


def test_page_others_text_goes_that_somebody_else_has_labelled(tab, loop):
    """The tab was silent for so long that its text was given to another one."""
    assert shown(tab) == loop.key(0)
    answer = {"id": "answer-of-another", "key": loop.key(0), "text": TEXTS[0]}
    answer |= {"state": "labelled", "tokens": [], "spans": []}
    ask = "async (answer) => (await import('/outbox.js')).ask('answer', answer)"
    tab.evaluate(ask, answer)
    tab.wait_for_function(
        "(key) => document.getElementById('text').dataset.key === key", arg=loop.key(1)
    )
    assert "Somebody else has labelled “\u2068Mara Quill" in banner(tab)
    press(tab, "Enter")
    assert not tab.is_visible("#banner")


def test_page_others_changes_are_still_there_after_a_reload(tab, loop):
    press(tab, "Enter")
    saved(tab)
    press(tab, "u", "ArrowRight", "p")
    tab.reload()
    tab.wait_for_selector("#banner-buttons button")
    assert "not saved" in banner(tab)
    tab.click("text=Back to them")
    assert (shown(tab), entities(tab)) == (loop.key(0), ["MaraPER"])
    press(tab, "Escape", "Escape")
    tab.click("text=Discard")
    assert not tab.is_visible("#banner")
    tab.reload()
    tab.wait_for_selector("#text[data-key]:not([data-key=''])")
    assert not tab.is_visible("#banner")
    press(tab, "u")
    tab.wait_for_selector("#card.correcting")
    assert entities(tab) == []


def test_page_others_second_enter_accepts_no_text_unseen(tab, loop):
    press(tab, "Enter")
    tab.keyboard.press("Enter")
    tab.keyboard.press("s")
    saved(tab)
    assert shown(tab) == loop.key(1)
    assert len(loop.answers()) == 1


def test_page_others_part_of_an_entity_is_selected_by_a_second_click(tab, loop):
    loop.ask(round_=1, suggest=SUGGEST)
    tab.reload()
    tab.wait_for_selector(".entity")
    tab.click("#text [data-i='1']")
    assert selected(tab) == ["Mara", "Quill"]
    tab.click("#text [data-i='1']")
    assert selected(tab) == ["Quill"]
    press(tab, "p")
    assert entities(tab)[0] == "QuillPER"
    press(tab, "u", "Escape", "Tab", ".", "Shift+ArrowRight")  # the same by keys
    assert selected(tab) == ["Quill"]


def test_page_others_all_suggestions_go_at_once(tab, loop):
    loop.ask(round_=1, suggest=SUGGEST)
    tab.reload()
    tab.wait_for_selector(".entity")
    press(tab, "Shift+Backspace")
    assert entities(tab) == []
    press(tab, "u")
    assert len(entities(tab)) == 2
    press(tab, "Escape")
    assert tab.inner_text("#remove-text") == "Remove all"
    tab.click("#remove")
    assert entities(tab) == []


def test_page_others_new_label_is_taken_back(tab, loop):
    press(tab, "ArrowRight")
    tab.click("#add-label")
    tab.fill("#new-label-name", "rolle")
    press(tab, "Enter")
    tab.wait_for_selector("#text .entity")
    assert entities(tab) == ["Mararolle"]
    tab.click("text=Take it back")
    tab.wait_for_function("() => !document.querySelector('#text .entity')")
    assert tab.locator("#labels [data-label]").all_inner_texts()[-1].startswith("LOC")


def test_page_others_a_server_that_hangs_is_asked_again(browser, tmp_path):
    loop, held = FakeLoop(tmp_path / "run"), []
    with loop.served() as link, browser.new_context() as context:
        context.add_init_script(
            "const wait = AbortSignal.timeout.bind(AbortSignal);"
            "AbortSignal.timeout = () => wait(500);"
        )
        tab = opened(context, link)
        context.route("**/api/answer", lambda route: held.append(route))  # never answered
        press(tab, "Enter")
        tab.wait_for_selector("#banner:not([hidden])")
        wait_until(lambda: tab.evaluate("() => 1") and len(held) > 1)
        assert not loop.answers()
        context.unroute("**/api/answer")
        wait_until(lambda: tab.evaluate("() => 1") and len(loop.answers()) == 1)
        assert tab.problems == []


def test_page_others_counts_are_those_of_the_last_answer(tab):
    press(tab, "Enter")
    saved(tab)
    tab.wait_for_function(
        "() => document.getElementById('batch-text').textContent.startsWith('1 of')", timeout=1500
    )
