"""The rooms of the package: a room imports only rooms below it, and `__init__` files re-export."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "spacy_seqmix"
# From the ground up. docs/design.md says what each is for.
ROOMS = (
    "errors",
    "types",
    "model_names",
    "files",
    "threads",
    "config",
    "parallel",
    "annotation",
    "lm",
    "models",
    "mixing",
    "query",
    "pipeline",
    "relation_extraction",
    "training",
    "active",
    "distill",
    "sweep",
    "report",
    "convert",
    "annotate",
    "score",
    "cli",
)
MAX_LINES = 300
# Lists of messages, which are read as lists.
LONG = ("errors.py",)
FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    """The room of a module by its dotted name below the package."""
    return module.split(".")[0]


def module_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix("__init__").removesuffix(".")


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the module, below the package, of every import from it, wherever it stands."""
    for node in ast.walk(ast.parse((PACKAGE / path).read_text("utf8"))):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                parents = path.parts[: len(path.parts) - node.level]
                base = [*parents, *(node.module or "").split(".")]
            elif (node.module or "").split(".")[0] == PACKAGE.name:
                base = (node.module or "").split(".")[1:]
            else:
                continue
            base = [part for part in base if part]
            for name in [alias.name for alias in node.names] if not base else [""]:
                yield node.lineno, ".".join([*base, name]).strip(".")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == PACKAGE.name:
                    yield node.lineno, alias.name.partition(".")[2]


def test_rooms_are_all_known():
    found = {room_of(module_of(path)) for path in FILES} - {""}
    assert found == set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_rooms_import_only_what_is_below_them(path):
    own = room_of(module_of(path))
    if not own:  # the package itself re-exports
        return
    above = ROOMS[ROOMS.index(own) + 1 :]
    wrong = [f"line {line}: {name}" for line, name in imports_of(path) if room_of(name) in above]
    # What the package's own `__init__` has is not for its rooms, but its version.
    names = [name for _, name in imports_of(path) if room_of(name) not in ROOMS]
    assert not wrong
    assert set(names) <= {"__version__"}


@pytest.mark.parametrize("path", [path for path in FILES if path.name == "__init__.py"], ids=str)
def test_rooms_init_files_define_nothing(path):
    body = ast.parse((PACKAGE / path).read_text("utf8")).body
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    assert not [node.name for node in body if isinstance(node, defined)]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_rooms_files_are_short(path):
    lines = (PACKAGE / path).read_text("utf8").count("\n")
    assert lines <= MAX_LINES or path.name in LONG
