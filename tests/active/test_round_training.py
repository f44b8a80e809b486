"""Rounds that train twice: on labelled docs alone, then further with the mixed docs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc

from spacy_seqmix.active import round_mixing, round_training
from spacy_seqmix.active.journal import RoundRecord
from spacy_seqmix.active.loop import ActiveRun
from spacy_seqmix.active.pseudo_labels import pseudo_labelled

from .test_pool_mixing import COPIES

pytestmark = pytest.mark.usefixtures("encoders_once")

Start = Callable[..., ActiveRun]
# Two passes, and two thirds of fixed steps.
TWICE = {"active.epochs": 1.0, "active.second_epochs": 2.0, "active.max_steps": None}
SEED_ROUND = {**TWICE, "active.second_epochs": [2.0, 0.0], "active.n_rounds": 1}


class Fit(NamedTuple):
    """A training: its docs, its seed, its steps, its start, and the weights before and after."""

    docs: list[str]
    seed: int
    steps: int
    start: str | None
    before: dict[str, bytes] | None
    after: dict[str, bytes]
    nlp: Language


def weights(nlp: Language) -> dict[str, bytes]:
    return {name: proc.model.to_bytes() for name, proc in nlp.pipeline}  # type: ignore[attr-defined]


def plain(records: list[RoundRecord]) -> list[dict[str, Any]]:
    return [record.model_dump(exclude={"seconds", "seconds_mixing"}) for record in records]


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[Fit]:
    """Every training, in order."""
    seen = []
    original = round_training.fit

    def noted(
        config: Any, docs: list[Doc], dev: Any, work: Path, settings: Any, start: Path | None
    ) -> tuple[Language, int]:
        before = weights(spacy.load(start)) if start else None
        nlp, steps = original(config, docs, dev, work, settings, start)
        texts = [doc.text for doc in docs]
        name = start.name if start else None
        seen.append(Fit(texts, settings.seed, steps, name, before, weights(nlp), nlp))
        return nlp, steps

    monkeypatch.setattr(round_training, "fit", noted)
    return seen


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"active.select_model": "best"},
        {"training.optimizer.use_averages": True},
    ],
)
def test_round_training_goes_on_with_the_mixed_docs(
    start: Start, fits: list[Fit], changes: dict[str, Any]
) -> None:
    """With a seed round of 8 labelled and 4 mixed docs in batches of 4, then 4 and 2 more."""
    run = start({**SEED_ROUND, **changes})
    records = run.run()
    first, second, later = fits
    labelled = [run.pool.docs[i].text for i in records[0].queried]
    assert first.docs == labelled
    assert second.docs[:8] == labelled
    assert (len(second.docs), len(later.docs)) == (12, 18)
    assert (first.start, second.start, later.start) == (None, "first", None)
    # It is the model that a round of this config ends with: the best one, or its average.
    assert second.before == first.after != second.after
    assert first.seed != second.seed
    assert (first.seed, later.seed) == (0, 1)
    assert [one.steps for one in fits] == [2, 6, 5]
    assert [record.steps for record in records] == [2 + 6, 5]
    assert [record.n_mixed for record in records] == [4, 6]
    assert weights(spacy.load(run.folder.trained(1))) == later.after


def test_round_training_control_has_the_same_schedule(start: Start, fits: list[Fit]) -> None:
    start({**SEED_ROUND, "active.n_rounds": 0}, "mixed").run()
    (record,) = start({**SEED_ROUND, "active.n_rounds": 0, "active.mixing": None}, "plain").run()
    mixed, control = fits[:2], fits[2:]
    assert mixed[0].after == control[0].after
    assert control[1].docs == control[0].docs == mixed[0].docs
    assert [one.seed for one in mixed] == [one.seed for one in control]
    assert control[1].before == control[0].after
    # four steps for two passes over eight docs, six with the mixed ones
    assert [one.steps for one in control] == [2, 4]
    assert record.steps == 6
    assert record.n_mixed == 0


def test_round_training_of_no_further_epochs_is_the_usual_one(
    start: Start, fits: list[Fit]
) -> None:
    usual = start({"active.n_rounds": 1}, "usual").run()
    none = start({"active.n_rounds": 1, "active.second_epochs": [0.0]}, "none").run()
    assert plain(none) == plain(usual)
    assert [one.start for one in fits] == [None] * 4


@pytest.mark.parametrize(
    ("epochs", "second", "taken"),
    [(1.0, [2.0, 0.0], [3, 6, 5]), (1.0, 1e5, [2, 7, 2, 3]), (1e5, 1.0, [7, 2, 3, 2])],
)
def test_round_training_shares_fixed_steps(
    start: Start, fits: list[Fit], epochs: float, second: Any, taken: list[int]
) -> None:
    """By the epochs of the two, with at least two steps each."""
    settings = {"active.epochs": epochs, "active.second_epochs": second, "active.n_rounds": 1}
    records = start({**settings, "active.max_steps": [9, 5], "active.mixing": None}).run()
    assert [one.steps for one in fits] == taken
    assert [record.steps for record in records] == [9, 5]


def test_round_training_resumes_to_the_same_model(start: Start, fits: list[Fit]) -> None:
    settings = {**TWICE, "active.n_rounds": 1, "active.start": "warm"}
    whole = start(settings, "whole")
    whole.run()
    half = start(settings, "half")
    half._round(0)
    again = start(settings, "half")
    assert plain(again.run()) == plain(whole.records)
    paths = [run.folder.trained(1) for run in (whole, again)]
    one, other = (weights(spacy.load(path)) for path in paths)
    assert one == other
    starts = [None, "first", "round-00", "first"]
    assert [fit.start for fit in fits] == [*starts, *starts]
    assert not again.folder.work.exists()


def test_round_training_lets_the_first_model_label_what_is_mixed(
    start: Start, fits: list[Fit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the place of the last round's model, and of the seed round's teacher."""
    asked = []

    def seen(nlp: Language, component: str, docs: Any, progress: Any) -> Any:
        asked.append(nlp)
        return pseudo_labelled(nlp, component, docs, progress)

    monkeypatch.setattr(round_mixing, "pseudo_labelled", seen)
    records = start({**COPIES, **TWICE, "active.n_rounds": 1}).run()
    assert [nlp is fit.nlp for nlp, fit in zip(asked, fits[0::2], strict=True)] == [True] * 2
    assert [len(fit.docs) for fit in fits] == [8, 12, 12, 18]
    assert [record.steps for record in records] == [2 + 6, 3 + 10]


def test_round_training_of_a_committee(start: Start, fits: list[Fit]) -> None:
    """Each member trains twice, and the second time from its own first model."""
    policy = {"active.policy": {"@misc": "spacy-seqmix.QBC.v1"}, "active.n_rounds": 1}
    start({**TWICE, **policy, "active.committee.members": 2}).run()
    pairs = [fits[i : i + 2] for i in range(0, len(fits), 2)]
    assert len(pairs) == 3  # two members, and one model after the last query
    assert [len(first.docs) for first, _ in pairs] == [8, 8, 12]
    assert [len(second.docs) for _, second in pairs] == [12, 12, 18]
    assert all(second.before == first.after for first, second in pairs)
    assert len({fit.seed for fit in fits}) == 6
