"""Options that commands share: overrides of config values, --code and --version."""

import sys

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.util import registry
from typer.testing import CliRunner

from spacy_seqmix import __version__
from spacy_seqmix.cli import app

ARGUMENTS = {
    "active": ["no.cfg", "run"],
    "sweep": ["no.cfg", "out"],
    "augment": ["no.cfg", "in.spacy", "out.spacy"],
}


def invoke(*args):
    done = CliRunner().invoke(app, list(args))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, " ".join(done.output.split())


@pytest.mark.parametrize("command", ARGUMENTS)
@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--quit"], "No such option: --quit"),
        (["--n-proces", "3"], "No such option: --n-proces"),
        (["--active.n_seed"], "--active.n_seed has no value"),
        (["--active.n_seed", "--active.epochs", "3"], "--active.n_seed has no value"),
        (["-x"], "name should start with --"),
    ],
)
def test_mistyped_options_give_one_line(command, options, text):
    code, output = invoke(command, *ARGUMENTS[command], *options)
    assert code == 1
    assert text in output
    assert "Traceback" not in output


@pytest.mark.parametrize("command", ARGUMENTS)
def test_override_of_an_unknown_section(command, tmp_path):
    path = tmp_path / "some.cfg"
    path.write_text("[sweep]\nseeds = [0]\n[active]\nn_seed = 3\n")
    code, output = invoke(command, str(path), *ARGUMENTS[command][1:], "--activ.n_seed", "3")
    assert code == 1
    assert "[S410]" in output
    assert "activ" in output


@pytest.mark.parametrize("command", ARGUMENTS)
def test_code_is_imported_before_the_config_is_read(command, tmp_path):
    name = f"own-{command}.Policy.v1"
    code = tmp_path / "own.py"
    code.write_text(f'import spacy\nspacy.registry.misc("{name}")(lambda: None)\n')
    assert invoke(command, *ARGUMENTS[command], "--code", str(code))[0] == 1
    assert registry.has("misc", name)
    exit_code, output = invoke(command, *ARGUMENTS[command], "-c", str(tmp_path / "no.py"))
    assert exit_code == 1
    assert "Path to Python code not found" in output


@pytest.mark.parametrize("content", ["import nothing_of_this_name", "1 +", "raise OSError('no')"])
@pytest.mark.parametrize("command", [*ARGUMENTS, "confidence"])
def test_code_that_cannot_be_imported_gives_no_traceback(command, content, tmp_path):
    code = tmp_path / "own.py"
    code.write_text(content)
    given = ARGUMENTS.get(command, ["model", "gold.spacy"])
    exit_code, output = invoke(command, *given, "--code", str(code))
    assert exit_code == 1
    assert "Couldn't load Python code" in output
    assert "Traceback" not in output


def test_version():
    assert invoke("--version") == (0, __version__)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--ray-address", "auto", "--gpu-id", "0"], "[S777] --gpu-id is for work on this machine"),
        (["--ray-workers", "2"], "[S780] --ray-workers is for a Ray cluster"),
        (["--ray-cpus", "2"], "[S780] --ray-cpus is for a Ray cluster"),
        (["--ray-gpus", "1"], "[S780] --ray-gpus is for a Ray cluster"),
        (["--ray-address", "auto"], "[S770] --ray-address needs Ray: pip install"),
    ],
)
@pytest.mark.parametrize("command", ["score", "calibrate"])
def test_options_of_clusters(tmp_path, monkeypatch, command, options, text):
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it is not installed
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "model")
    DocBin(docs=[nlp("Ana left.")]).to_disk(tmp_path / "in.spacy")
    words = {
        "score": [tmp_path / "model", tmp_path / "in.spacy", "-p", "Random", "-o", tmp_path / "o"],
        "calibrate": [tmp_path / "in.spacy", "-m", tmp_path / "none"],
    }
    code, output = invoke(command, *map(str, words[command]), *options)
    assert code == 1
    assert text in output
