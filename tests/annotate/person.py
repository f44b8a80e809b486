"""A person who labels in the page by keyboard, counts the keys, and times the pauses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

# Measures, inside the page, how long no text is there between two.
PAUSES = """
window.pauses = [];
let pressed = null;
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter") pressed = performance.now();
}, true);
document.addEventListener("DOMContentLoaded", () => {
  new MutationObserver(() => {
    const key = document.getElementById("text").dataset.key;
    if (key && pressed !== null && key !== window.lastKey) {
      window.pauses.push((performance.now() - pressed) / 1000);
      pressed = null;
    }
    if (key) window.lastKey = key;
  }).observe(document.getElementById("text"), { attributes: true, attributeFilter: ["data-key"] });
});
"""
STATE = """() => ({
  key: document.getElementById("text").dataset.key,
  words: [...document.querySelectorAll("#text [data-i]")].map((w) => w.textContent),
  selected: [...document.querySelectorAll("#text [data-i].on")].map((w) => Number(w.dataset.i)),
  entities: [...document.querySelectorAll("#text .entity")].map((e) => {
    const words = [...e.querySelectorAll("[data-i]")].map((w) => Number(w.dataset.i));
    return [words[0], words.at(-1) + 1, e.querySelector(".tag").firstChild.textContent];
  }),
  keys: Object.fromEntries([...document.querySelectorAll("#labels [data-label]")].map(
    (chip) => [chip.dataset.label, chip.getAttribute("aria-keyshortcuts").split(" ")[0]])),
})"""

# Milliseconds in which nobody reads a text.
READS = 260

Span = tuple[int, int, str]
# The page shows line breaks and tabs as signs.
BLANKS = "↵⇥ \n\t\r\xa0"


@dataclass
class Done:
    """One text: its key, the keys pressed, and the suggestions that there were."""

    key: str
    presses: int
    suggested: int


@dataclass
class Person:
    """Labels what the page shows.

    page (Page): of playwright; not opened yet.
    gold (Mapping): the entities of each text, by the text: (first character, end, label).
    texts (Mapping): each text by its key.
    """

    page: Any
    gold: Mapping[str, Sequence[Span]]
    texts: Mapping[str, str]
    done: list[Done] = field(default_factory=list)
    presses: int = 0
    ahead: str = "ArrowRight"
    back: str = "ArrowLeft"

    def open(self, link: str) -> None:
        """Open the page, and wait for the first text."""
        self.page.add_init_script(PAUSES)
        self.page.goto(link)
        self.wait()

    def wait(self, other_than: str = "", seconds: float = 120) -> None:
        """Wait for a text."""
        self.page.wait_for_function(
            "(old) => { const key = document.getElementById('text').dataset.key;"
            " return key && key !== old; }",
            arg=other_than,
            timeout=1000 * seconds,
        )

    def state(self) -> dict[str, Any]:
        """What the page shows."""
        return dict(self.page.evaluate(STATE))

    def press(self, key: str) -> None:
        """Press a key, with Shift or without: one press."""
        self.page.keyboard.press(key)
        self.presses += 1

    def pauses(self) -> list[float]:
        """Seconds without a text, after each Enter."""
        return [float(one) for one in self.page.evaluate("() => window.pauses")]

    def label(self, n: int, seconds: float = 120) -> list[Done]:
        """Label texts until there are so many more, or the time is over."""
        end = monotonic() + seconds
        before = len(self.done)
        while len(self.done) - before < n and monotonic() < end:
            key = self.one()
            if len(self.done) - before < n:
                self.wait(key, seconds)
        return self.done[before:]

    def one(self) -> str:
        """Label the text that is shown. RETURNS (str): its key."""
        state = self.state()
        text = self.texts[state["key"]]
        wanted = tokens_of(text, state["words"], self.gold[text])
        self.presses = 0
        found = len(state["entities"])
        for start, end, label in wanted:
            self._make(start, end, label, state["keys"])
        for entity in [e for e in self.state()["entities"] if tuple(e) not in set(wanted)]:
            self._go(entity[0])
            self.press("Backspace")
        shown = self.state()["entities"]
        assert [tuple(entity) for entity in shown] == list(wanted), text
        # The page does not take Enter before anybody can have read the text.
        self.page.wait_for_timeout(READS)
        self.press("Enter")
        self.done.append(Done(state["key"], self.presses, found))
        return str(state["key"])

    def _make(self, start: int, end: int, label: str, keys: Mapping[str, str]) -> None:
        """See to it that there is this entity; what overlaps it goes."""
        entities = [tuple(entity) for entity in self.state()["entities"]]
        if (start, end, label) in entities:
            return
        for first, last, _ in entities:
            if first < start < last:  # nobody can walk into an entity
                self._go(first)
                self.press("Backspace")
        last = self._go(start)
        while last != end - 1:
            self.press(f"Shift+{self.ahead if last < end - 1 else self.back}")
            last = max(self.state()["selected"])
        self.press(keys[label])

    def _go(self, start: int) -> int:
        """Walk to the word or entity that begins at a token, on the shortest way.

        RETURNS (int): the last token that is selected then.
        """
        rtl = self.page.evaluate(
            "() => getComputedStyle(document.getElementById('text')).direction"
        )
        self.ahead, self.back = ("ArrowLeft", "ArrowRight")[:: 1 if rtl == "rtl" else -1]
        for _ in range(100):
            state = self.state()
            stops = stops_of(state)
            places = [i for i, stop in enumerate(stops) if list(range(*stop)) == state["selected"]]
            goal = next(i for i, stop in enumerate(stops) if stop[0] == start)
            if places == [goal]:
                return stops[goal][1] - 1
            if state["selected"] and not places:  # around the words of what was removed
                self.press(self.back)
                continue
            way = self._way(places[0] if places else -1, goal, stops, state["entities"])
            for key in way:
                self.press(key)
        raise AssertionError(f"token {start} can't be reached")

    def _way(
        self, at: int, goal: int, stops: Sequence[tuple[int, int]], entities: Sequence[Any]
    ) -> list[str]:
        """The fewest keys from one stop to another; -1 is before the first."""
        marks = [i for i, stop in enumerate(stops) if any(e[0] == stop[0] for e in entities)]
        later, earlier = [i for i in marks if i > at], [i for i in marks if i < at][::-1]
        firsts: list[tuple[list[str], int]] = [([], at), (["End"], len(stops) - 1)]
        firsts += [(["Tab"] * n, i) for n, i in enumerate(later, 1)]
        firsts += [(["Shift+Tab"] * n, i) for n, i in enumerate(earlier, 1)] + [(["Home"], 0)]
        ways = [
            [*keys, *[self.ahead if place < goal else self.back] * abs(goal - place)]
            for keys, place in firsts
            if place >= 0 or goal >= 0
        ]
        return min(ways, key=len)


def stops_of(state: Mapping[str, Any]) -> list[tuple[int, int]]:
    """First token and end of each word and entity; blanks are no words."""
    covered = {i for start, end, _ in state["entities"] for i in range(start, end)}
    words = [
        (i, i + 1)
        for i, word in enumerate(state["words"])
        if i not in covered and word.strip(BLANKS)
    ]
    return sorted([*words, *((start, end) for start, end, _ in state["entities"])])


def tokens_of(text: str, words: Sequence[str], spans: Sequence[Span]) -> list[Span]:
    """Entities in tokens."""
    starts, ends, at = {}, {}, 0
    for number, word in enumerate(words):
        if not word.strip(BLANKS):
            continue
        at = text.index(word, at)
        starts[at], ends[at + len(word)] = number, number + 1
        at += len(word)
    return [(starts[start], ends[end], label) for start, end, label in sorted(spans)]
