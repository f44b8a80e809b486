"""What a config with [active] asks for, checked and built; no data is read."""

from typing import Any, NamedTuple

from spacy.util import registry
from thinc.api import Config

from ..errors import Errors, SeqMixError
from ..learners import check_mixed_layer
from ..mixing.mixer import Mixer
from ..query.evidence import check_config_evidence
from ..query.policies import QueryPolicy
from ..types import Oracle
from .fit import check_training_config, without_own_mixing
from .mixing import make_mixers
from .pseudo_labels import check_config_can_label
from .schema import ActiveSchema, read_active_section

# What [active] holds besides plain values.
PARTS = ("policy", "oracle", "mixing")


class ActiveConfig(NamedTuple):
    """What a config asks for; ``training`` is without [active]."""

    active: ActiveSchema
    training: Config
    policy: QueryPolicy
    oracle: Oracle
    mixers: list[Mixer]

    @property
    def of_pool(self) -> bool:
        """Whether docs that nobody has labelled are mixed."""
        return bool(self.mixers) and self.active.mix_set == "pool"


def read_active_config(config: Config) -> ActiveConfig:
    """Check a config with the sections of a training config and [active]; no data is read.

    RAISES (SeqMixError): S402, S408 and those of its parts, see ``errors.py``.
    """
    plain = config.copy().interpolate()
    active = read_active_section(plain)
    training = Config({k: v for k, v in plain.items() if k not in ("active", "augment")})
    check_training_config(training, active.component)
    training = without_own_mixing(training)
    policy, oracle, mixers = resolve_parts(plain["active"])
    check_config_evidence(policy.needs, training, active.component)
    asked = ActiveConfig(active, training, policy, oracle, mixers)
    if asked.of_pool:
        check_config_can_label(training, active.component)
    for mixer in mixers:
        check_mixed_layer(
            mixer.strategy,
            training,
            active.component,
            labels=mixer.labels,
            soft_parents=asked.of_pool,
        )
    return asked


def resolve_parts(section: dict[str, Any]) -> tuple[QueryPolicy, Oracle, list[Mixer]]:
    """Build the policy, the oracle and the mixers of an interpolated [active] section.

    RAISES (SeqMixError): S402 with what is wrong, or the code of the part that refused them.
    """
    try:
        parts = registry.resolve({name: section.get(name) or {} for name in PARTS})
        mixers = make_mixers(parts["mixing"])
    except SeqMixError:
        raise
    except (ValueError, TypeError) as err:
        raise SeqMixError(Errors.E402.format(problems=str(err).strip())) from err
    policy, oracle = parts["policy"], parts["oracle"]
    wrong = [] if isinstance(policy, QueryPolicy) else ["policy"]
    wrong += [] if callable(oracle) else ["oracle"]
    if wrong:
        problems = f"{', '.join(wrong)}: give a registered function, @misc = ..."
        raise SeqMixError(Errors.E402.format(problems=problems))
    return policy, oracle, mixers
