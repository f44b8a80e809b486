"""The docs say what the code says."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest
from spacy.util import load_config
from typer.testing import CliRunner

from spacy_seqmix.active.schema import ActiveSchema, CommitteeSchema
from spacy_seqmix.cli import app
from spacy_seqmix.mixing.augment import AugmentSchema

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize(
    ("schema", "page"),
    [(ActiveSchema, "active"), (CommitteeSchema, "policies"), (AugmentSchema, "mixing")],
)
def test_docs_explain_every_field(
    schema: type[ActiveSchema | CommitteeSchema | AugmentSchema], page: str
) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf8")
    for name, field in schema.model_fields.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert field.description is not None
        assert field.description in row


def test_docs_name_everything_registered() -> None:
    parser = ConfigParser(delimiters=["="])
    parser.read(ROOT / "setup.cfg", encoding="utf8")
    text = "\n".join(page.read_text(encoding="utf8") for page in PAGES)
    for group, lines in parser["options.entry_points"].items():
        for line in lines.strip().splitlines():
            name = line.partition("=")[0].strip()
            if group != "spacy_cli":
                assert re.sub(r"^spacy-seqmix\.(\w+Table|RandomPolicy)", r"\1", name) in text, name


def test_docs_links_lead_somewhere() -> None:
    for page in [*PAGES, *(ROOT / "docs").rglob("*.md"), ROOT / "assets/mini/README.md"]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.cfg")), ids=lambda p: p.name)
def test_configs_can_be_read(path: Path) -> None:
    assert load_config(path, interpolate=False)


@pytest.mark.parametrize(
    "command", ["active", "augment", "show", "calibrate", "convert", "report", "confidence"]
)
def test_help_is_complete(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    # Every option and argument has a text of its own.
    for line in result.output.splitlines():
        if re.match(r"^\s+(-\w, )?--\w[\w-]*( <\w+>| \[.*\])?\s*$", line):
            raise AssertionError(line)
    assert command in CliRunner().invoke(app, ["--help"]).output
