"""The package's own errors carry their code."""

import pickle

import pytest

from spacy_seqmix.errors import Errors, SeqMixError, SeqMixFileError


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
