"""The package's own errors carry their code."""

import inspect
import pickle
import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import registry
from typer.main import get_command

from spacy_seqmix.active.schema import ActiveSchema
from spacy_seqmix.cli import app
from spacy_seqmix.config import load_config
from spacy_seqmix.errors import Errors, SeqMixError, SeqMixFileError, Warnings
from spacy_seqmix.lm import gguf
from spacy_seqmix.training.augment_file import AugmentSchema


@pytest.mark.parametrize("kind", [SeqMixError, SeqMixFileError])
def test_errors_code_is_that_of_the_message(kind):
    error = kind(Errors.E217.format(layer="x"))
    assert error.code == "S217"
    assert str(error).startswith("[S217] 'x'")
    assert isinstance(error, ValueError)


def test_errors_of_files_are_os_errors():
    assert isinstance(SeqMixFileError(Errors.E411.format(reason="full")), OSError)


def test_errors_survive_pickling():
    error = SeqMixFileError(Errors.E411.format(reason="full"))
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.code, str(again)) == (type(error), "S411", str(error))


def test_errors_codes_agree_with_names_and_are_unique():
    names = [name for name in vars(Errors) if name.startswith("E")]
    codes = [SeqMixError(getattr(Errors, name)).code for name in names]
    assert codes == [f"S{name[1:]}" for name in names]
    assert len(set(codes)) == len(codes)


def test_warnings_codes_agree_with_names():
    names = [name for name in vars(Warnings) if name.startswith("W")]
    assert [getattr(Warnings, name)[1 : 1 + len(name)] for name in names] == names


MESSAGES = [
    text
    for kind in (Errors, Warnings)
    for text in vars(kind).values()
    if isinstance(text, str) and text.startswith("[")
]
COMMANDS = get_command(app).commands
TRAINING = load_config(Path(__file__).parents[1] / "configs" / "cnn_seqmix.cfg", {})


def is_field(name):
    """Whether a config has a field: one of a command's settings, or of a training config."""
    section, *path = name.split(".")
    settings = {"active": ActiveSchema, "augment": AugmentSchema}.get(section)
    if settings is not None:
        return path[0] in settings.model_fields
    place = TRAINING[section]
    for part in path:
        place = place[part]
    return True


# What a message tells its reader to type or to set, and whether there is such a thing.
ADVICE = {
    r"spacy-seqmix\.\w+\.v\d": lambda name: any(
        registry.has(kind, name) for kind in registry.get_registry_names()
    ),
    r"--[a-z][a-z-]*[a-z]": lambda name: (
        name == "--no-deps"  # pip's
        or any(name in one.opts for command in COMMANDS.values() for one in command.params)
    ),
    r"spacy seqmix (\w+)": COMMANDS.__contains__,
    r"'(seqmix_\w+)'": entry_points(group="spacy_factories").names.__contains__,
    r"nlp\.(\w+)\(": lambda name: hasattr(Language, name),
    r"doc\._\.(\w+)": Doc.has_extension,
    r"\b(?:active|augment|training)\.[a-z_.]*[a-z]": is_field,
    r"\bSPACY_\w+": lambda name: name in inspect.getsource(gguf),
}


@pytest.mark.parametrize("pattern", ADVICE)
def test_messages_advise_what_there_is(pattern):
    advised = {name for text in MESSAGES for name in re.findall(pattern, text)}
    assert advised
    assert [name for name in sorted(advised) if not ADVICE[pattern](name)] == []
