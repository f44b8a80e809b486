"""Partners for the items of docs: a pool over all docs, from which docs draw in turn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import islice
from typing import Protocol, TypeVar

import numpy as np

from .pairs import shuffled


class Keyed(Protocol):
    """An item of a pool: it is paired with items with the same key and another text."""

    @property
    def key(self) -> Hashable: ...
    @property
    def text(self) -> Hashable: ...


Pooled = TypeVar("Pooled", bound=Keyed)
Item = TypeVar("Item")
Other = TypeVar("Other")
Made = TypeVar("Made")


def partners_in_pool(
    own: Sequence[Sequence[Pooled]], rng: np.random.Generator
) -> Callable[[int, Pooled], Iterator[tuple[int, Pooled]]]:
    """Pool the items of all docs, by their key.

    own (Sequence[Sequence[Pooled]]): the items of each doc.
    RETURNS (Callable): takes the number of a doc and one of its items; yields, in random order,
        (number of the doc, item) of each item of another doc with the same key and another text.
    """
    pool: dict[Hashable, list[tuple[int, Pooled]]] = defaultdict(list)
    for number, items in enumerate(own):
        for item in items:
            pool[item.key].append((number, item))

    def deck(number: int, item: Pooled) -> Iterator[tuple[int, Pooled]]:
        group = pool[item.key]
        for k in shuffled(len(group), rng):
            other, partner = group[k]
            if other != number and partner.text != item.text:
                yield other, partner

    return deck


def take_turns(
    own: Sequence[Sequence[Item]],
    deck: Callable[[int, Item], Iterator[Other]],
    make: Callable[[int, Item, Other], Made],
    most: int,
    rng: np.random.Generator,
) -> Iterator[list[Made]]:
    """Give docs in random order partners for their items, until no item has one left.

    own (Sequence[Sequence[Item]]): the items of each doc.
    deck (Callable): the partners of an item of doc number N, each once.
    make (Callable): what doc number N, an item and its partner become.
    most (int): the most items of a doc at a time; 0 for all.
    YIELDS (list[Made]): the results of one doc.
    """
    decks: dict[tuple[int, int], Iterator[Other]] = {}
    left = [number for number, items in enumerate(own) if items]
    while left:
        spent = set()
        for number in rng.permutation(left).tolist():
            made: list[Made] = []
            for k in rng.permutation(len(own[number])).tolist():
                item = own[number][k]
                if (number, k) not in decks:
                    decks[number, k] = deck(number, item)
                for partner in islice(decks[number, k], 1):
                    made.append(make(number, item, partner))
                if made and len(made) == most:
                    break
            if made:
                yield made
            else:
                spent.add(number)
        left = [number for number in left if number not in spent]
