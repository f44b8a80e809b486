"""Configs that can't be read or used: the message says where, and what to write."""

from pathlib import Path

import pytest
from spacy.util import registry
from thinc.api import Config
from typer.testing import CliRunner

from spacy_seqmix import config as configs
from spacy_seqmix.cli import app
from spacy_seqmix.config import interpolated, load_config, plain_values
from spacy_seqmix.errors import SeqMixError

AUGMENT = Path(__file__).parents[1] / "configs" / "augment.cfg"

UNREADABLE = {
    "an option twice": ("[a]\nx = 1\nx = 2\n", r"line 3.*'x' in section 'a' already exists"),
    "a section twice": ("[a]\nx = 1\n[a]\n", r"line 3.*section 'a' already exists"),
    "no section": ("x = 1\n", "no section headers.*line: 1"),
    "no value": ("[a]\nx\n", r"line 2"),
    "an unknown variable": ("[a]\nx = ${b.c}\n", r"'x' in section 'a'.*'b.c'"),
    "an open variable": (
        "[a]\nx = ${b\n",
        r"a\.x = .*: a '\$' begins a variable, \$\{section\.field\}",
    ),
    "a lone dollar": ('[a]\nx = "$b"\n', r"a\.x = .*\$b.*: a '\$' begins a variable"),
    "a loop": ("[a]\nx = ${a.x}\n", r"option 'x' in section 'a'.*cannot be substituted"),
    "no parent": ("[a.b]\nx = 1\n", "a.b: Section 'a' is not defined"),
    "bytes": ("[a]\nx = \udcff\n", "codec can't decode"),
    "null above a section": (
        "[corpora]\n\n[corpora.train]\npath = null\naugmenter = null\n\n"
        '[corpora.train.augmenter]\n@augmenters = "x"\n',
        r"\[corpora\.train\] has the field 'augmenter'.* a section \[corpora\.train\.augmenter\]: "
        r"remove the line 'augmenter = \.\.\.' under \[corpora\.train\]",
    ),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_config_that_cannot_be_read_says_where(what: str, tmp_path: Path) -> None:
    text, expected = UNREADABLE[what]
    path = tmp_path / "wrong.cfg"
    path.write_bytes(text.encode("utf8", "surrogateescape"))
    with pytest.raises(SeqMixError, match=f"(?s)wrong.cfg.*{expected}") as caught:
        load_config(path, {})
    assert caught.value.code == "S410"
    assert "<string>" not in str(caught.value)


@pytest.mark.parametrize("command", ["augment", "active", "sweep"])
@pytest.mark.parametrize("what", ["an option twice", "a loop", "null above a section"])
def test_commands_show_what_is_wrong_with_a_config(command: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.cfg"
    path.write_text(f"{UNREADABLE[what][0]}\n[sweep]\nseeds = [0]\n\n[sweep.arms]\n")
    out = [str(tmp_path / "out")] * (2 if command == "augment" else 1)
    result = CliRunner().invoke(app, [command, str(path), *out])
    assert result.exit_code == 1
    assert "[S410]" in result.output


def test_config_variables_are_filled_in_or_named() -> None:
    config = Config().from_str("[a]\nx = ${b\n", interpolate=False)
    with pytest.raises(SeqMixError, match=r"S580.*a\.x"):
        interpolated(config)


def test_config_names_plain_values_where_functions_belong() -> None:
    for value in ("gpt2", "a/folder", True, 5, ["x"], {"model": "gpt2"}):
        section = {"mixing": {"discriminator": value, "realiser": {"@misc": "x"}}}
        (problem,) = plain_values(section, "active")
        assert "active.mixing.discriminator" in problem
        assert 'write a section [active.mixing.discriminator] with the line @misc = "' in problem
    table = {"realiser": {"@misc": "spacy-seqmix.NearestToken.v1", "table": "bert"}}
    assert "[augment.realiser.table]" in plain_values(table, "augment")[0]
    others = {"optimizer": {"@optimizers": "mine.v1", "policy": "x"}, "discriminator": None}
    assert plain_values(others, "training") == []
    # In a training config only this package's functions are looked into.
    training = {"components": {"mine": {"factory": "mine", "policy": "x"}}}
    assert plain_values(training, "", ours=True) == []
    training = {"train": {"@readers": "spacy-seqmix.Corpus.v1", "augmenter": "lower"}}
    assert "[train.augmenter] with the line @augmenters" in plain_values(training, "", ours=True)[0]


@pytest.mark.parametrize("value", ["gpt2", "some/folder", "true", "5"])
def test_augment_refuses_a_discriminator_that_is_no_section(value: str, tmp_path: Path) -> None:
    text = AUGMENT.read_text("utf8")
    head, _, rest = text.partition("[augment.discriminator]")
    path = tmp_path / "a.cfg"
    path.write_text(head.replace("[augment]", f"[augment]\ndiscriminator = {value}"), "utf8")
    assert rest
    result = CliRunner().invoke(app, ["augment", str(path), "in.spacy", str(tmp_path / "o.spacy")])
    text = " ".join(result.output.split())
    assert result.exit_code == 1
    assert "[S213]" in text
    assert "write a section [augment.discriminator] with the line @misc = " in text


def test_config_examples_of_sections_exist() -> None:
    for line in configs.BLOCKS.values():
        (kind, name), *_ = Config().from_str(f"[a]\n{line}")["a"].items()
        assert registry.has(kind.removeprefix("@"), name)


@pytest.mark.parametrize("value", ["5", "true", "[1]"])
def test_config_extends_a_path(value: str, tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    path.write_text(f"[active]\nextends = {value}\n")
    with pytest.raises(SeqMixError, match=r"S410.*a\.cfg.*active\.extends must be the path"):
        load_config(path, {})


def test_config_that_extends_itself_says_which_line_to_change(tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    path.write_text('[active]\nextends = "a.cfg"\n')
    with pytest.raises(SeqMixError, match=r"S410.*active\.extends leads back to .*a\.cfg"):
        load_config(path, {})
