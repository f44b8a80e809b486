"""Reading the configs of the commands."""

from pathlib import Path
from typing import Any

from thinc.api import Config

from .errors import Errors
from .models.names import first_available, is_choice


def load_config(path: Path, overrides: dict[str, Any]) -> Config:
    """Read a config with an [active] or [augment] section, laid over its training config.

    path (Path): the config file. ``[active] training`` names another one, relative to it, whose
        sections this file's are laid over.
    overrides (dict): values by dotted name; they win over both files.
    RETURNS (Config): not interpolated. Values of [paths] with alternatives ("bert-base-cased |
        package:...") are replaced by the first that can be found.
    RAISES (ValueError): S410 when a file cannot be read or an override names no field.
    """
    reading = path
    try:
        config = Config().from_disk(path, interpolate=False)
        base = overrides.get("active.training", config.get("active", {}).get("training"))
        if base is not None:
            reading = path.parent / base
            config = Config().from_disk(reading, interpolate=False).merge(config)
            reading = path
        config = Config().from_str(config.to_str(), overrides=overrides, interpolate=False)
    except (OSError, ValueError) as err:
        raise ValueError(Errors.E410.format(path=reading, reason=str(err).strip())) from err
    for key, value in config.get("paths", {}).items():
        if isinstance(value, str) and is_choice(value):
            config["paths"][key] = first_available(value)
    return config
