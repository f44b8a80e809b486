"""Config values of arms, by dotted name or of a pipeline, and their short forms in names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from spacy.util import set_dot_to_object
from thinc.api import Config

from ..errors import Errors, SeqMixError


def with_values(config: Config, values: Mapping[str, Any]) -> Config:
    """Copy a config with other values.

    values (Mapping[str, Any]): by dotted name; a mapping replaces a whole section.
    RAISES (SeqMixError): S603 where the section of a value is missing.
    """
    config = config.copy()
    for name, value in values.items():
        section, dot, _ = name.rpartition(".")
        try:
            if not dot:
                raise KeyError(name)
            set_dot_to_object(config, name, Config(value) if isinstance(value, dict) else value)
        except KeyError:
            raise SeqMixError(Errors.E603.format(name=name, section=section or name)) from None
    return config


def merge_pipeline(config: Config, pipeline: Config) -> Config:
    """Lay the config of another pipeline over that of an experiment.

    A plain merge would keep what belongs to the first pipeline alone. Here components that the
    new pipeline does not name go, and the new score weights and a component with another factory
    replace the old ones. Paths that the new config leaves open (null) stay as they were.

    RETURNS (Config): a new config.
    """
    config, pipeline = config.copy(), pipeline.copy()
    paths = pipeline.get("paths", {})
    for key in [key for key, value in paths.items() if value is None]:
        if key in config.get("paths", {}):
            del paths[key]
    old = config.get("components", {})
    for name, section in pipeline.get("components", {}).items():
        if name in old and "factory" in section and section["factory"] != old[name].get("factory"):
            del old[name]
    if "score_weights" in pipeline.get("training", {}):
        config.get("training", {}).pop("score_weights", None)
    merged = config.merge(pipeline)
    names = merged.get("nlp", {}).get("pipeline")
    if isinstance(names, list):  # not a variable
        for section in (merged, merged.get("initialize", {})):
            parts = section.get("components") or {}
            for name in [name for name in parts if name not in names]:
                del parts[name]
    return merged


def short_names(names: list[str]) -> dict[str, str]:
    """The shortest distinct ends of dotted names: ``rate`` of active.mixing.rate.

    Where the last part names a registered function, such as "@misc", the part before it is used.
    """
    short = {}
    for name in names:
        n = 2 if name.rpartition(".")[2].startswith("@") else 1
        others = [other for other in names if other != name]
        while n <= name.count(".") and any(_end(o, n) == _end(name, n) for o in others):
            n += 1
        short[name] = _end(name, n).replace(".@misc", "")
    return short


def _end(name: str, n: int) -> str:
    return ".".join(name.split(".")[-n:])


def text_of(value: Any) -> str:
    """A value as part of an arm's name; a registered function without prefix and version."""
    if isinstance(value, Mapping):
        function = next((v for k, v in value.items() if k.startswith("@")), None)
        if function is None:
            return json.dumps(value)
        others = [f"{k}={text_of(v)}" for k, v in value.items() if not k.startswith("@")]
        return " ".join([text_of(function), *others])
    text = value if isinstance(value, str) else json.dumps(value)
    name = text.removeprefix("spacy-seqmix.")
    return text if name == text else name.rpartition(".v")[0] or text
