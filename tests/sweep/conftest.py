"""The tiny run of active learning, with a [sweep] section in front."""

from pathlib import Path

import pytest

from spacy_seqmix.sweep import read_sweep

from ..active.conftest import files as files
from ..active.conftest import write_files as write_files

SWEEP = """
[sweep]
seeds = [0, 1]
controls = false

[sweep.arms]

[sweep.arms.sub]

[sweep.arms.constrained]
active.mixing.strategy = {"@misc": "spacy-seqmix.LabelConstrained.v1", "window": 2, "density": 0.2}

[sweep.grid]
active.mixing.rate = [0.5, 1.0]
"""


def write_sweep(folder, files, section=SWEEP) -> Path:
    """Write a config with a [sweep] section beside the files of a run; the paths are set in it."""
    text = (folder / "active.cfg").read_text()
    for name, value in files.items():
        key = name.removeprefix("paths.")
        text = text.replace(f"\n{key} = null", f'\n{key} = "{value}"')
    (folder / "sweep.cfg").write_text(section + text)
    return folder / "sweep.cfg"


@pytest.fixture
def config_path(files, tmp_path) -> Path:
    """A config with [sweep]; the paths are set in it."""
    return write_sweep(tmp_path, files)


@pytest.fixture
def planned(config_path):
    """A function from overrides, and lines in the place of the [sweep] section, to a sweep."""

    def make(overrides=None, section=None, names=()):
        if section is not None:
            text = config_path.read_text()
            config_path.write_text(section + text[text.index("\n[paths]") :])
        return read_sweep(config_path, overrides or {}, names)

    return make
