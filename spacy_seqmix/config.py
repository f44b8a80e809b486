"""Reading the configs of the commands."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thinc.api import Config

from .errors import Errors
from .models.names import first_available, is_choice


def load_config(path: Path, overrides: Mapping[str, Any]) -> Config:
    """Read a config with an [active] or [augment] section, laid over its training config.

    path (Path): the config file. ``[active] training`` names another one, relative to it, whose
        sections this file's are laid over.
    overrides (Mapping[str, Any]): values by dotted name; they win over both files.
    RETURNS (Config): not interpolated. Values of [paths] with alternatives ("bert-base-cased |
        package:...") are replaced by the first that can be found.
    RAISES (ValueError): S410 when a file cannot be read or an override names no field.
    """
    return lay_over(read_config(path), path, overrides)


def read_config(path: Path) -> Config:
    """Read a config file as it stands. RAISES (ValueError): S410."""
    with config_errors(path):
        return Config().from_disk(path, interpolate=False)


def lay_over(config: Config, path: Path, overrides: Mapping[str, Any]) -> Config:
    """Lay a config that was read from a file over its training config; see ``load_config``."""
    base = overrides.get("active.training", config.get("active", {}).get("training"))
    if base is not None:
        config = read_config(path.parent / base).merge(config)
    with config_errors(path):
        config = Config().from_str(config.to_str(), overrides=dict(overrides), interpolate=False)
    for key, value in config.get("paths", {}).items():
        if isinstance(value, str) and is_choice(value):
            config["paths"][key] = first_available(value)
    return config


@contextmanager
def config_errors(path: Path) -> Iterator[None]:
    """Give errors of reading a config a code. RAISES (ValueError): S410."""
    try:
        yield
    except (OSError, ValueError) as err:
        raise ValueError(Errors.E410.format(path=path, reason=str(err).strip())) from err
