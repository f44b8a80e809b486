"""Tasks of Label Studio to predictions: one for each task, whatever it has."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from spacy.tokens import Doc

from ...annotation import relations
from ...annotation.texts import tokenise
from ...errors import Warnings, describe, plural
from ...query.suggestions import Prediction, predict
from ..formats.label_studio import KEY_FIELD, region, relation
from ..label_studio.interface import Interface
from ..rows import placed
from .log import Log
from .models import Served

__all__ = ["ASKED_LAST", "empty", "suggestions"]

Entry: TypeAlias = dict[str, Any]
# The scores of tasks that have no confidence. "Uncertainty sampling" asks for the lowest first.
ASKED_FIRST, ASKED_LAST = 0.0, 1.0
# Texts at a time: others, such as the one that a person has opened, need not wait for 10,000.
BATCH = 32


def empty(version: str, score: float | None) -> Entry:
    """The prediction of a task without suggestions."""
    return {"result": [], "score": score, "model_version": version}


def suggestions(
    model: Served,
    tasks: Sequence[Any],
    interface: Interface,
    log: Log,
    *,
    hidden: Container[str] = (),
    check: Callable[[], object] = lambda: None,
) -> list[Entry]:
    """Predict tasks with one pipeline.

    tasks (Sequence[Any]): as Label Studio sends them. The score of one whose text is missing or
        can't be read is 1.0: it is asked last.
    hidden (Container[str]): keys of tasks that get no suggestions, since a model is measured with
        them; their score is 0.0.
    check (Callable): called before every batch; what it raises ends all.
    RETURNS (list): one prediction for each task. Its score is the least confidence in an entity, a
        relation, or the best tag of a word; None where the pipeline has no probabilities.

    Logs W790 for texts that can't be read, W791 for labels that the interface has not.
    """
    out = [empty(model.version, ASKED_LAST) for _ in tasks]
    docs: dict[int, Doc] = {}
    failed: dict[int, Exception] = {}
    for number, task in enumerate(tasks):
        data = task.get("data") if isinstance(task, dict) else None
        data = data if isinstance(data, dict) else {}
        text = data.get(interface.key)
        if str(data.get(KEY_FIELD)) in hidden:
            out[number]["score"] = ASKED_FIRST
        elif isinstance(text, str) and text.strip():
            try:
                docs[number] = _read(model, text)
            except Exception as err:
                failed[number] = err
    for numbers in _batches(list(docs)):
        check()
        for number, one in _predict(model, {n: docs.pop(n) for n in numbers}, failed):
            out[number] |= _entry(one, interface, log)
    if failed:
        first = min(failed)
        name, n = tasks[first].get("id"), plural(len(failed), "text")
        log.once(Warnings.W790.format(n=n, task=name, reason=describe(failed[first])))
    return out


def _batches(numbers: list[int]) -> Iterator[list[int]]:
    for at in range(0, len(numbers), BATCH):
        yield numbers[at : at + BATCH]


def _read(model: Served, text: str) -> Doc:
    doc = tokenise(model.nlp, text, "a task")
    if doc.text != text:
        raise ValueError("the pipeline's tokenizer changes the text")
    return doc


def _predict(
    model: Served, docs: dict[int, Doc], failed: dict[int, Exception]
) -> list[tuple[int, Prediction]]:
    """What is found in a batch; where that fails, in each text alone."""
    numbers = list(docs)
    try:
        with model.lock:
            found = list(predict(model.nlp, None, list(docs.values()), words=True))
    except Exception as err:
        if len(docs) == 1:
            failed[numbers[0]] = err
            return []
        alone = [_predict(model, {n: doc}, failed) for n, doc in docs.items()]
        return [pair for pairs in alone for pair in pairs]
    return [(numbers[i], one) for i, one in found]


def _entry(one: Prediction, interface: Interface, log: Log) -> Entry:
    """The suggestions that fit the interface, and the score."""
    results: list[dict[str, Any]] = []
    names: dict[tuple[int, int], str] = {}
    sure = [] if one.certainty is None else [one.certainty]
    for found, span in zip(one.suggestions, placed(one.doc, one.suggestions), strict=True):
        place = interface.place(span.label)
        if place is None:
            log.once(Warnings.W791.format(label=span.label, tag="<Labels>"))
            continue
        name = names.setdefault((found.start, found.end), f"s{len(names)}")
        from_name, label = place
        results.append(region(name, replace(span, label=label), from_name, interface.text))
    for each in relations.get(one.doc) or ():
        sure.append(each.prob)
        if each.head not in names or each.tail not in names:
            continue
        if each.label not in interface.relations:
            log.once(Warnings.W791.format(label=each.label, tag="<Relations>"))
            continue
        results.append(relation(names[each.head], names[each.tail], each.label, each.prob))
    return {"result": results, "score": min(sure, default=None)}
