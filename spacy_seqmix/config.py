"""Read the configs of the commands."""

import configparser
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from fnmatch import fnmatchcase
from importlib.metadata import entry_points
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import Field, ValidationError
from spacy.util import dict_to_dot, registry
from thinc.api import Config

from .errors import Errors, SeqMixError
from .model_names import first_available, is_choice

# Numbers that numpy, torch and spaCy take as a seed, also with the number of a round added.
Seed: TypeAlias = Annotated[int, Field(ge=0, le=2**31 - 1)]

# The section of a sweep's config: its dotted names are values of arms, not sections.
SECTION = "sweep"

# Augmenters that mix. In active learning [active.mixing] mixes instead.
MIXERS = ("spacy-seqmix.SeqMix.v1", "spacy-seqmix.MultiSeqMix.v1")

# The fields that are sections with a registered function, and an example of each.
BLOCKS = {
    "strategy": '@misc = "spacy-seqmix.SubSequence.v1"',
    "realiser": '@misc = "spacy-seqmix.NearestToken.v1"',
    "discriminator": '@misc = "spacy-seqmix.PerplexityDiscriminator.v1"',
    "table": '@misc = "spacy-seqmix.WordTable.v1"',
    "lexicon": '@misc = "spacy-seqmix.WordNet.v1"',
    "policy": '@misc = "spacy-seqmix.NTE.v1"',
    "oracle": '@misc = "spacy-seqmix.GoldOracle.v1"',
    "augmenter": '@augmenters = "spacy-seqmix.SeqMix.v1"',
    "first": '@augmenters = "spacy-seqmix.SeqMix.v1"',
    "then": '@augmenters = "spacy-seqmix.SeqMix.v1"',
}
# A "$" with no name of a field in braces behind it.
LONE_DOLLAR = re.compile(r"\$(?!\$|\{[^{}]+\})(?<!\$\$)")
# What configparser, thinc and the file system raise for a config that can't be read.
CONFIG_ERRORS = (OSError, ValueError, configparser.Error)


def load_config(path: Path, overrides: Mapping[str, Any]) -> Config:
    """Read a config with an [active] or [augment] section, laid over those that it extends.

    path (Path): the config file. ``[active] extends`` names another one, relative to it, whose
        sections this file's are laid over, and so on.
    overrides (Mapping[str, Any]): values by dotted name; they win over all files.
    RETURNS (Config): not interpolated. Values of [paths] with alternatives ("bert-base-cased |
        package:...") are replaced by the first that is available.
    RAISES (SeqMixError): S410 when a file cannot be read or an override names no field.
    """
    layers = read_layers(path, overrides)
    for layer in layers.values():
        layer.pop(SECTION, None)
    return lay_over(layers.values(), path, overrides)


def read_layers(path: Path, overrides: Mapping[str, Any]) -> dict[Path, Config]:
    """Read a config file and those that it is laid over, by their paths; the file itself is last.

    RAISES (SeqMixError): S410.
    """
    layers: list[tuple[Path, Config]] = []
    base: Path | None = path
    while base is not None:
        if any(base.resolve() == known.resolve() for known, _ in layers):
            reason = f"active.extends leads back to '{base}'. Change that line"
            raise SeqMixError(Errors.E410.format(path=path, reason=reason))
        with config_errors(base):
            config = Config().from_disk(base, interpolate=False)
            check_variables(config)
        name = config.get("active", {}).get("extends")
        if not layers:
            name = overrides.get("active.extends", name)
        layers.append((base, config))
        if not isinstance(name, str | None):
            reason = f"active.extends must be the path of a config, not {name!r}"
            raise SeqMixError(Errors.E410.format(path=base, reason=reason))
        base = None if name is None else base.parent / name
    return dict(reversed(layers))


def lay_over(layers: Iterable[Config], path: Path, overrides: Mapping[str, Any]) -> Config:
    """Lay configs over one another, the last on top; see ``load_config``."""
    config, *others = layers
    own = config
    for own in others:
        config = config.merge(own)
    drop_inherited_mixers(config, own, overrides)
    with config_errors(path):
        config = Config().from_str(config.to_str(), overrides=dict(overrides), interpolate=False)
        config.interpolate()  # here the file can be named
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


def choose(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Select the names that match any of the patterns, in their own order; all without patterns.

    patterns (Sequence[str]): names, which may contain "*" and "?".
    RAISES (SeqMixError): S523 for a pattern that matches no name.
    """
    # Lists of values are written in brackets, which would be classes of letters.
    globs = {pattern: pattern.replace("[", "[[]") for pattern in patterns}
    for pattern, glob in globs.items():
        if not any(fnmatchcase(name, glob) for name in names):
            raise SeqMixError(Errors.E523.format(name=pattern, names=", ".join(names)))
    matching = [n for n in names if any(fnmatchcase(n, glob) for glob in globs.values())]
    return matching if patterns else list(names)


def named_paths(config: Config) -> list[Path]:
    """The files and folders that values of a config name, and that exist.

    config (Config): interpolated.
    """
    listed = [v if isinstance(v, list) else [v] for v in dict_to_dot(config).values()]
    return [Path(v) for v in chain(*listed) if isinstance(v, str) and os.path.exists(v)]


def build_functions(
    section: Mapping[str, Any], name: str, fields: Iterable[str], message: str
) -> dict[str, Any]:
    """Build the registered functions of a section.

    section (Mapping[str, Any]): interpolated.
    name (str): its name, for messages.
    fields (Iterable[str]): the fields that may hold functions; sections within them count.
    message (str): one of ``Errors``, with a place for {problems}.
    RETURNS (dict[str, Any]): these fields, built; plain values stay as they are.
    RAISES (SeqMixError): the message, or the code of a function that refused its arguments.
    """
    parts = {field: section[field] for field in fields if section.get(field) is not None}
    if problems := [*plain_values(parts, name), *unknown_functions(parts)]:
        raise SeqMixError(message.format(problems="; ".join(problems)))
    try:
        return dict(registry.resolve(parts))
    except SeqMixError:
        raise
    except (ValueError, TypeError) as err:
        raise SeqMixError(message.format(problems=reason_of(err))) from err


def plain_values(section: Mapping[str, Any], name: str, *, ours: bool = False) -> list[str]:
    """List the fields that must be sections with a registered function, but are plain values.

    section (Mapping[str, Any]): interpolated. Sections within it count.
    name (str): its name, for messages.
    ours (bool): look only at the arguments of this package's functions.
    """
    problems = []
    names = [value for key, value in section.items() if key.startswith("@")]
    is_checked = any(_is_ours(str(value)) for value in names) if names or ours else True
    for field, value in section.items():
        is_section = isinstance(value, Mapping)
        has_function = is_section and any(key.startswith("@") for key in value)
        place = f"{name}.{field}" if name else field
        if is_checked and field in BLOCKS and value is not None and not has_function:
            what = "has no registered function" if is_section else f"can't be {value!r}"
            fix = f"write a section [{place}] with the line {BLOCKS[field]}, or another function"
            problems.append(f"{place} {what}: {fix}")
        elif is_section:
            problems += plain_values(value, place, ours=ours)
    return problems


def unknown_functions(section: Mapping[str, Any]) -> list[str]:
    """Name the registered functions of a section that do not exist, with those that do.

    section (Mapping[str, Any]): interpolated. Sections within it count.
    RETURNS (list[str]): one sentence for each unknown name, with this package's functions of the
        same registry and any other close match, in place of spaCy's list of all.
    """
    problems = []
    kinds = {f"@{kind}": kind for kind in registry.get_registry_names()}
    for field, name in dict_to_dot(dict(section)).items():
        kind = kinds.get(field.rpartition(".")[2])
        if kind is not None and not (isinstance(name, str) and registry.has(kind, name)):
            ours = [e.name for e in entry_points(group=f"spacy_{kind}") if _is_ours(e.name)]
            known = [*getattr(registry, kind).get_all(), *ours]
            close = get_close_matches(str(name), sorted(set(known)))
            problem = f"{field} = {name!r}: there is no such function"
            problem += f"; did you mean {' or '.join(close)}" if close else ""
            problem += f"; spacy-seqmix has {', '.join(sorted(set(ours)))}" if ours else ""
            problems.append(f"{problem}; functions of your own come with --code FILE.py")
    return problems


def _is_ours(name: str) -> bool:
    return name.startswith("spacy-seqmix.")


def problems_of(err: ValidationError, section: str = "") -> str:
    """List every wrong field of a section, with the reason.

    section (str): its name, for fields that are null: those were left out, as a rule.
    """
    return "; ".join(_problem(e, section) for e in err.errors(include_url=False))


def _problem(error: Mapping[str, Any], section: str) -> str:
    field = _dotted(error["loc"])
    if section and error["input"] is None:
        return f"{field} is not given: set {section}.{field}, or what it refers to in [paths]"
    return f"{field}: {error['msg']}" if field else str(error["msg"])


def _dotted(parts: Iterable[int | str]) -> str:
    return ".".join(map(str, parts))


def interpolated(config: Config) -> Config:
    """Fill in the variables of a config.

    RAISES (SeqMixError): S580 for a variable that can't be filled in.
    """
    try:
        check_variables(config)
        return config.interpolate()
    except CONFIG_ERRORS as err:
        raise SeqMixError(Errors.E580.format(reason=reason_of(err))) from err


def check_variables(config: Config) -> None:
    """Find a "$" that begins no variable: what thinc says of it names no field.

    RAISES (ValueError): with the names of the fields.
    """
    values = {field: str(value) for field, value in dict_to_dot(config).items()}
    wrong = [f"{field} = {value}" for field, value in values.items() if LONE_DOLLAR.search(value)]
    if wrong:
        raise ValueError(f"{'; '.join(wrong)}: a '$' begins a variable, ${{section.field}}")


@contextmanager
def config_errors(path: Path, kinds: tuple[type[Exception], ...] = CONFIG_ERRORS) -> Iterator[None]:
    """Give errors of reading a config a code. RAISES (SeqMixError): S410."""
    try:
        yield
    except kinds as err:
        raise SeqMixError(Errors.E410.format(path=path, reason=reason_of(err))) from err


def reason_of(err: Exception) -> str:
    """One sentence about why a config can't be read or built."""
    if isinstance(err, ValidationError):  # of a registered function
        return problems_of(err)
    problems = [_conflict(problem) for problem in getattr(err, "errors", None) or ()]
    if problems:
        return "; ".join(problems)
    text = " ".join(str(err).replace("While reading from '<string>' ", "").split())
    return text.removeprefix("Config validation error ").replace("'<string>'", "the text")


def _conflict(problem: Mapping[str, Any]) -> str:
    """A problem that thinc found. A field and a section of one name are the most frequent."""
    name, message = _dotted(problem["loc"]), str(problem["msg"])
    if message != "found conflicting values":
        return f"{name}: {message}"
    section, _, field = name.rpartition(".")
    return (
        f"[{section}] has the field '{field}', and there is a section [{name}]: remove the line "
        f"'{field} = ...' under [{section}], or the section"
    )
