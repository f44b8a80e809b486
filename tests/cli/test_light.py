"""spaCy imports our command line with each of its commands: it has to stay light."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "spacy_transformers", "matplotlib", "gguf", "ray")

# thinc imports torch by itself where it can: barring torch shows whether anybody else needs it
RUN = f"""
import sys
sys.modules["torch"] = None
sys.argv = ["spacy", *sys.argv[1:]]
from spacy.cli import setup_cli
try:
    setup_cli()
except SystemExit as end:
    if end.code:
        raise
loaded = [name for name in {HEAVY!r} if sys.modules.get(name) is not None]
sys.exit(f"loaded: {{loaded}}" if loaded or "spacy_seqmix.cli" not in sys.modules else 0)
"""


@pytest.mark.parametrize(
    "command",
    [
        ["info"],
        ["seqmix", "--help"],
        ["seqmix", "calibrate", "--help"],
        ["seqmix", "convert", "--help"],
        ["seqmix", "report", "--help"],
    ],
    ids=" ".join,
)
def test_cli_loads_nothing_heavy(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, *command],
        capture_output=True,
        text=True,
        check=False,
        # other plugins bring commands of their own
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    assert done.returncode == 0, done.stderr
    shown = ("convert", "spaCy version", "RUN_DIR", "--quantiles")
    assert any(part in done.stdout for part in shown)


# What importing our commands adds to what spaCy's own have imported.
ADDED = """
import sys
import spacy.cli
before = {name.partition(".")[0] for name in sys.modules}
import spacy_seqmix.cli
print(*{name.partition(".")[0] for name in sys.modules} - before)
"""


def test_cli_adds_only_itself_and_the_standard_library():
    done = subprocess.run([sys.executable, "-c", ADDED], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) - sys.stdlib_module_names == {"spacy_seqmix"}
