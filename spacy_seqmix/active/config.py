"""Read a config with [active]: check it, and build its functions. No data is read."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from thinc.api import Config

from ..annotation.layers import OTHERS, learned_layer
from ..config import build_functions, interpolated, plain_values, problems_of, unknown_functions
from ..errors import Errors, SeqMixError
from ..mixing.mixer import Mixer
from ..query.policies import QueryPolicy
from ..query.probabilities import check_needs
from ..training.checks import check_mixed_layer
from .fit import check_training_config, without_own_mixing
from .mixing import make_mixers
from .oracles import as_oracle
from .pseudo_labels import check_config_can_label
from .schema import FUNCTIONS, ActiveSchema


@dataclass(frozen=True)
class ActiveConfig:
    """What a config with [active] says.

    active (ActiveSchema): the section, its registered functions built.
    training (Config): the training sections, interpolated.
    """

    active: ActiveSchema
    training: Config

    @property
    def policy(self) -> QueryPolicy:
        """The query policy."""
        return self.active.policy

    @property
    def mixers(self) -> list[Mixer]:
        """The mixers with a rate above 0."""
        return self.active.mixing

    @property
    def of_pool(self) -> bool:
        """Whether unlabelled docs are mixed."""
        return bool(self.mixers) and self.active.mix_set == "pool"


def read_active_config(config: Config) -> ActiveConfig:
    """Check a config with the sections of a training config and [active]; no data is read.

    RAISES (SeqMixError): S402, S408 and those of its parts, see ``errors.py``.
    """
    plain = interpolated(config.copy())
    active = read_active_section(plain)
    training = Config({k: v for k, v in plain.items() if k not in ("active", "augment")})
    # What training logs, the loop sets itself.
    used = {k: {**v, "logger": None} if k == "training" else v for k, v in training.items()}
    if problems := [*plain_values(used, "", ours=True), *unknown_functions(used)]:
        raise SeqMixError(Errors.E408.format(reason="; ".join(problems)))
    check_training_config(training, active.component)
    training = without_own_mixing(training)
    check_needs(active.policy.needs, training, active.component)
    check_layer(active, training)
    whole = ActiveConfig(active, training)
    if whole.of_pool:
        check_config_can_label(training, active.component)
    for mixer in whole.mixers:
        check_mixed_layer(
            mixer.strategy,
            training,
            active.component,
            labels=mixer.labels,
            soft_parents=whole.of_pool,
        )
    return whole


def check_layer(active: ActiveSchema, training: Config) -> None:
    """RAISES (SeqMixError): S618 where the oracle never labels what the component learns."""
    layers = active.oracle.layers
    section = training["components"].get(active.component, {})
    layer, factory = learned_layer(section), section.get("factory")
    if layers is None or layer in layers or (layer is None and factory not in OTHERS):
        return
    labels, learns = " and ".join(layers), layer or factory
    raise SeqMixError(Errors.E618.format(labels=labels, component=active.component, learns=learns))


def read_active_section(config: Config) -> ActiveSchema:
    """Check the [active] section of an interpolated config, and build its functions.

    RAISES (SeqMixError): S402 with every field that is wrong, or the code of a function.
    """
    if "active" not in config:
        raise SeqMixError(Errors.E402.format(problems="the section itself is missing"))
    section = config["active"]
    functions = build_functions(section, "active", FUNCTIONS, Errors.E402)
    functions["mixing"] = make_mixers(functions.get("mixing"))
    if functions.get("oracle") is not None:
        functions["oracle"] = as_oracle(functions["oracle"])
    try:
        active = ActiveSchema.model_validate({**section, **functions})
    except ValidationError as err:
        problems = problems_of(err, "active")
        raise SeqMixError(Errors.E402.format(problems=problems)) from None
    problem = _contradiction(active)
    if problem:
        raise SeqMixError(Errors.E402.format(problems=problem))
    return active


def _contradiction(active: ActiveSchema) -> str:
    """What is wrong with fields that depend on one another; empty where nothing is."""
    steps, n_rounds = active.max_steps, active.n_rounds
    if n_rounds is None and (isinstance(steps, list) or isinstance(active.n_query, list)):
        return "n_rounds: give a number where max_steps or n_query is a list with one a round"
    given = steps if isinstance(steps, list) else [steps or 2]
    if any(n < 2 for n in given):
        return "max_steps: at least 2 steps a round"
    if active.mix_set == "pool" and given[0] < 4 and steps is not None:
        return 'max_steps: at least 4 in the seed round, which trains twice with mix_set = "pool"'
    if steps is not None and any(n < 4 for n in _shared_steps(active, given)):
        return "max_steps: at least 4 in rounds that train twice, see second_epochs"
    if isinstance(steps, list) and n_rounds is not None and len(steps) != n_rounds + 1:
        return f"max_steps: {n_rounds + 1} numbers for n_rounds = {n_rounds}"
    if active.unlabelled_size is not None and active.unlabelled is None:
        return "unlabelled_size: there are no docs to draw from, set active.unlabelled"
    if isinstance(active.n_query, list) and len(active.n_query) != n_rounds:
        return f"n_query: {n_rounds} numbers for n_rounds = {n_rounds}"
    return ""


def _shared_steps(active: ActiveSchema, steps: Sequence[int]) -> list[int]:
    """The steps of the rounds that train twice.

    steps (Sequence[int]): of each round, or the one number of all rounds.
    """
    given = active.second_epochs if isinstance(active.second_epochs, list) else [0.0]
    rounds = len(steps) if isinstance(active.max_steps, list) else len(given)
    return [steps[min(i, len(steps) - 1)] for i in range(rounds) if active.second_epochs_of(i)]
