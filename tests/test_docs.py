"""The docs say what the code says."""

import re
from configparser import ConfigParser
from functools import partial
from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest
import spacy
from pydantic import BaseModel
from spacy.tokens import DocBin
from spacy.training import Example
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


@pytest.mark.parametrize(
    "command",
    [
        "active",
        "annotate",
        "augment",
        "show",
        "calibrate",
        "convert",
        "query",
        "ingest",
        "report",
        "sweep",
        "confidence",
    ],
)
def test_help_is_complete(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    # Every option and argument has a text of its own.
    for line in result.output.splitlines():
        if re.match(r"^\s+(-\w, )?--\w[\w-]*( <\w+>| \[.*\])?\s*$", line):
            raise AssertionError(line)
    assert command in CliRunner().invoke(app, ["--help"]).output


def test_docs_tutorial_asks_only_for_what_is_not_labelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tutorial's next.py, twice: what the first call asked for is labelled by the second."""
    page = (ROOT / "docs" / "tutorial.md").read_text("utf8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (code,) = (block for block in blocks if "next.txt" in block)
    monkeypatch.chdir(tmp_path)
    texts = [f"Ann met Bo, who was {age} (or more)." for age in range(20, 90)]
    Path("train.txt").write_text(f"[PER Ann] met [PER Bo].\n\n[PER Ann]{texts[0][3:]}\n\n", "utf8")
    Path("raw.txt").write_text("\n".join(texts), "utf8")
    asked = []
    for _ in range(2):
        done = CliRunner().invoke(app, ["convert", "train.txt", "train.spacy"])
        assert done.exit_code == 0, done.output
        if not asked:
            nlp = spacy.blank("en")
            nlp.add_pipe("seqmix_ner")
            docs = DocBin().from_disk("train.spacy").get_docs(nlp.vocab)
            examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
            nlp.initialize(partial(iter, examples))
            Path("plain-0").mkdir()
            nlp.to_disk("plain-0/model-last")
        exec(code, {})
        said = Path("next.txt").read_text("utf8")
        with Path("train.txt").open("a", encoding="utf8") as file:
            file.write(said)
        lines = [line for line in said.splitlines() if line and not line.startswith("# ")]
        asked.append({re.sub(r"\[PER ([^]]*)\]", r"\1", line) for line in lines})
    assert [len(one) for one in asked] == [50, 19]
    assert not asked[0] & asked[1]
    assert texts[0] not in asked[0] | asked[1]
