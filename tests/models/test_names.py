from pathlib import Path

import pytest

from spacy_seqmix.models import names


def test_names_takes_a_single_name_as_it_is() -> None:
    assert names.first_available(" | some-model") == "some-model"


def test_names_takes_the_first_that_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_on_hub", lambda name: name == "online")
    assert names.first_available(f"{tmp_path} | online") == str(tmp_path)
    with pytest.warns(UserWarning, match=rf"W220.*'missing'.*{tmp_path}"):
        assert names.first_available(f"missing | {tmp_path} | online") == str(tmp_path)
    with pytest.warns(UserWarning, match="W220"):
        assert names.first_available("missing | online") == "online"


def test_names_takes_a_wish_or_refuses_it(tmp_path: Path) -> None:
    assert names.first_available(f"wanted || missing | {tmp_path}") == "wanted"
    assert names.first_available(f" || {tmp_path} | missing") == str(tmp_path)
    with pytest.raises(OSError, match=r"\[S224\].*package:no_such_package/x'\]"):
        names.first_available(f"package:no_such_package/x || {tmp_path} | missing")


def test_names_finds_files_of_installed_packages() -> None:
    found = names.first_available("package:spacy_seqmix/models/names.py")
    assert Path(found) == Path(names.__file__)


@pytest.mark.parametrize("name", ["package:no_such_package/x", "package:spacy_seqmix/no_such_file"])
def test_names_that_cannot_be_found_are_an_error(name: str) -> None:
    with pytest.raises(OSError, match=r"\[S224\]"):
        names.first_available(name)


def test_names_asks_the_hub_only_when_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(names.socket, "create_connection", refuse)
    monkeypatch.setattr(
        "transformers.configuration_utils.PretrainedConfig.get_config_dict",
        lambda name: pytest.fail("the hub's client was asked"),
    )
    assert not names._on_hub("no-such-owner/no-such-model")
