"""Config values by dotted name, as users type them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from thinc.api import Config

from ..active.journal import flatten
from ..errors import Errors, SeqMixError


def with_values(config: Config, values: Mapping[str, Any]) -> Config:
    """A copy of a config with other values.

    values (Mapping[str, Any]): by dotted name; a mapping takes the place of a section.
    RAISES (SeqMixError): S603 where the section of a value is missing.
    """
    config = config.copy()
    for name, value in values.items():
        *sections, key = name.split(".")
        place: Any = config
        for i, section in enumerate(sections):
            place = place.get(section)
            if not isinstance(place, dict):
                missing = ".".join(sections[: i + 1])
                raise SeqMixError(Errors.E603.format(name=name, section=missing))
        if not sections:
            raise SeqMixError(Errors.E603.format(name=name, section=name))
        place[key] = Config(value).copy() if isinstance(value, dict) else value
    return config


def filled_in(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted name, with what their variables stand for in the place of these."""
    config = Config()
    single: dict[str, Any] = {}
    for name, value in values.items():
        *sections, key = name.split(".")
        place: Any = config if sections else single
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = value
    return {**flatten(config.interpolate()), **single}


def short_names(names: list[str]) -> dict[str, str]:
    """The shortest ends of dotted names that tell them apart: ``rate`` of active.mixing.rate.

    A last part that names a function, such as "@misc", takes the part before it along.
    """
    found = {}
    for name in names:
        parts = name.split(".")
        n = 2 if parts[-1].startswith("@") else 1
        while n < len(parts) and any(
            _end(other, n) == _end(name, n) for other in names if other != name
        ):
            n += 1
        found[name] = _end(name, n).replace(".@misc", "")
    return found


def _end(name: str, n: int) -> str:
    return ".".join(name.split(".")[-n:])


def text_of(value: Any) -> str:
    """A value as part of an arm's name: of a registered function the name without its version."""
    if isinstance(value, Mapping):
        function = next((v for k, v in value.items() if k.startswith("@")), None)
        if function is None:
            return json.dumps(value)
        others = [f"{k}={text_of(v)}" for k, v in value.items() if not k.startswith("@")]
        return " ".join([text_of(function), *others])
    text = value if isinstance(value, str) else json.dumps(value)
    prefix, _, rest = text.partition("spacy-seqmix.")
    return rest.rpartition(".v")[0] or text if not prefix and rest else text
