"""The docs say what the code says."""

import re
from configparser import ConfigParser
from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest
from pydantic import BaseModel
from spacy.util import load_config
from typer.testing import CliRunner

from spacy_seqmix.active.schema import ActiveSchema, CommitteeSchema, SeedModelSchema
from spacy_seqmix.cli import app
from spacy_seqmix.sweep.schema import SweepSchema
from spacy_seqmix.training.augment_file import AugmentSchema

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize(
    ("schema", "page"),
    [
        (ActiveSchema, "active"),
        (CommitteeSchema, "policies"),
        (SeedModelSchema, "active"),
        (AugmentSchema, "mixing"),
        (SweepSchema, "sweep"),
    ],
)
def test_docs_explain_every_field(schema: type[BaseModel], page: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf8")
    for name, field in schema.model_fields.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert field.description is not None
        assert field.description in row


def registered() -> list[tuple[str, str]]:
    """The name and the place of everything that setup.cfg registers, commands apart."""
    parser = ConfigParser(delimiters=["="])
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(ROOT / "setup.cfg", encoding="utf8")
    lines = [
        line.partition("=")
        for group, text in parser["options.entry_points"].items()
        if group != "spacy_cli"
        for line in text.strip().splitlines()
    ]
    return [(name.strip(), place.strip()) for name, _, place in lines]


# What spaCy passes, or a component fills in.
NOT_TYPED = {"nlp", "name", "nO"}


@pytest.mark.parametrize(("name", "place"), registered(), ids=lambda value: value.split(":")[0])
def test_docs_list_every_argument_of_what_is_registered(name: str, place: str) -> None:
    module, _, function = place.partition(":")
    wanted = set(signature(getattr(import_module(module), function)).parameters) - NOT_TYPED
    pages = [page.read_text(encoding="utf8") for page in PAGES if page.name != "README.md"]
    naming = [text for text in pages if name in text]
    assert naming, name
    lacking = [
        sorted(arg for arg in wanted if not re.search(rf"^\|.*`{arg}(`| = )", text, flags=re.M))
        for text in naming
    ]
    assert [] in lacking, f"{name}: {min(lacking, key=len)}"


def test_docs_links_lead_somewhere() -> None:
    for page in [*PAGES, *(ROOT / "docs").rglob("*.md"), ROOT / "assets/mini/README.md"]:
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf8")):
            if "://" in target:
                continue
            name, _, anchor = target.partition("#")
            path = page.parent / name if name else page
            assert path.exists(), f"{page.name}: {target}"
            if anchor and path.suffix == ".md":
                assert anchor in anchors(path), f"{page.name}: {target}"


def anchors(page: Path) -> set[str]:
    """The names that headings of a page get where Markdown is shown."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("path", sorted((ROOT / "configs").rglob("*.cfg")), ids=lambda p: p.name)
def test_configs_can_be_read(path: Path) -> None:
    assert load_config(path, interpolate=False)


@pytest.mark.parametrize("command", [command.name for command in app.registered_commands])
def test_help_is_complete(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    # Every option and argument has a text of its own.
    for line in result.output.splitlines():
        if re.match(r"^\s+(-\w, )?--\w[\w-]*( <\w+>| \[.*\])?\s*$", line):
            raise AssertionError(line)
    assert command in CliRunner().invoke(app, ["--help"]).output
