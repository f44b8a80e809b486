"""Copy what a report reads of finished runs, and no text of their corpora, into a folder to keep.

    python benchmarks/run_files.py SWEEP_DIR OUT

Copied are ``sweep.json`` without arms that have no finished run, and of each finished run its
journal, its config and how it ended; not the mixed docs, whose words are those of the corpus.
Paths into this environment's packages become ``package:...``. ``spacy seqmix report OUT -o DIR``
then makes the same report but for its examples.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import srsly
import typer

from spacy_seqmix.atomic import replacing
from spacy_seqmix.sweep.record import SWEEP_FILE

FILES = ("journal.jsonl", "inputs.json", "config.cfg")


def main(
    sweep: Annotated[Path, typer.Argument(metavar="SWEEP_DIR", help="Folder of a sweep")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the copies")],
) -> None:
    """Copy the files of finished runs; those of earlier calls stay."""
    packages = sysconfig.get_path("purelib") + "/"
    texts = {path.relative_to(sweep): path.read_text("utf8") for path in wanted(sweep)}
    folders = {path.parts[0] for path in texts}
    known = srsly.read_json(sweep / SWEEP_FILE)
    known["arms"] = [arm for arm in known["arms"] if arm["folder"] in folders]
    texts[Path(SWEEP_FILE)] = srsly.json_dumps(known, indent=2)
    for path, text in texts.items():
        with replacing(out / path) as temporary:
            temporary.write_text(text.replace(packages, "package:"), "utf8")


def wanted(sweep: Path) -> Iterator[Path]:
    """The files of finished runs to keep."""
    for status in sorted(sweep.glob("*/seed-*.json")):
        if srsly.read_json(status)["status"] == "done":
            yield status
            yield from (status.with_suffix("") / name for name in FILES)


if __name__ == "__main__":
    typer.run(main)
