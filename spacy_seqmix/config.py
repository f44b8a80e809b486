"""Reading the configs of the commands."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from thinc.api import Config

from .errors import Errors, SeqMixError
from .models.names import first_available, is_choice
from .sweep_names import SECTION

# Augmenters that mix. In active learning [active.mixing] mixes instead.
MIXERS = ("spacy-seqmix.SeqMix.v1", "spacy-seqmix.MultiSeqMix.v1", "spacy-seqmix.Several.v1")


def load_config(path: Path, overrides: Mapping[str, Any]) -> Config:
    """Read a config with an [active] or [augment] section, laid over those that it extends.

    path (Path): the config file. ``[active] extends`` names another one, relative to it, whose
        sections this file's are laid over, and so on.
    overrides (Mapping[str, Any]): values by dotted name; they win over all files.
    RETURNS (Config): not interpolated. Values of [paths] with alternatives ("bert-base-cased |
        package:...") are replaced by the first that can be found.
    RAISES (SeqMixError): S410 when a file cannot be read or an override names no field.
    """
    layers = read_layers(path, overrides)
    for layer in layers:  # a sweep's, whose dotted names are no sections
        layer.pop(SECTION, None)
    return lay_over(layers, path, overrides)


def read_layers(path: Path, overrides: Mapping[str, Any]) -> list[Config]:
    """A config file and those that it is laid over, as they stand; itself last.

    RAISES (SeqMixError): S410.
    """
    layers: list[Config] = []
    base: Any = path
    known: list[Path] = []
    while base is not None:
        if base.resolve() in known:
            raise SeqMixError(Errors.E410.format(path=path, reason="it is laid over itself"))
        known.append(base.resolve())
        with config_errors(base):
            layers.insert(0, Config().from_disk(base, interpolate=False))
        name = layers[0].get("active", {}).get("extends")
        if len(layers) == 1:
            name = overrides.get("active.extends", name)
        base = None if name is None else base.parent / name
    return layers


def lay_over(layers: Sequence[Config], path: Path, overrides: Mapping[str, Any]) -> Config:
    """Lay the layers of a file over one another; see ``load_config``."""
    config = layers[0]
    for layer in layers[1:]:
        config = config.merge(layer)
    drop_inherited_mixers(config, layers[-1], overrides)
    with config_errors(path):
        config = Config().from_str(config.to_str(), overrides=dict(overrides), interpolate=False)
    for key, value in config.get("paths", {}).items():
        if isinstance(value, str) and is_choice(value):
            config["paths"][key] = first_available(value)
    return config


def drop_inherited_mixers(config: Config, own: Config, overrides: Mapping[str, Any]) -> None:
    """Remove augmenters that mix from corpora, but not those that the user's own file configures.

    own (Config): the user's file; ``config`` is that, laid over the files that it extends.
    """
    if "active" not in config:
        return
    for name, corpus in config.get("corpora", {}).items():
        augmenter = corpus.get("augmenter") if isinstance(corpus, dict) else None
        field = f"corpora.{name}.augmenter"
        if (
            isinstance(augmenter, dict)
            and augmenter.get("@augmenters") in MIXERS
            and "augmenter" not in own.get("corpora", {}).get(name, {})
            and not any(key == field or key.startswith(f"{field}.") for key in overrides)
        ):
            corpus["augmenter"] = None


def problems_of(err: ValidationError) -> str:
    """Every field of a section that is wrong, and how."""
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in err.errors())


@contextmanager
def config_errors(path: Path) -> Iterator[None]:
    """Give errors of reading a config a code. RAISES (SeqMixError): S410."""
    try:
        yield
    except (OSError, ValueError) as err:
        raise SeqMixError(Errors.E410.format(path=path, reason=str(err).strip())) from err
