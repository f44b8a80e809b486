"""Make the pages and pictures of the kept results again, or keep the runs of a new study.

python docs/results/make.py                      every report.md and curves.png, from runs.jsonl
python docs/results/make.py NAME                 those of one study
python docs/results/make.py NAME --runs SWEEP    keep a sweep's finished runs first
"""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple

import typer

from spacy_seqmix.report import write_report
from spacy_seqmix.report.kept import keep_runs

RESULTS = Path(__file__).parent
PICTURE = "curves.png"
OTHER_PICTURES = re.compile(rf"^!\[[^\]]*\]\((?!{PICTURE})[^)]*\.png\)\n\n?", re.MULTILINE)


class Study(NamedTuple):
    """A report's title, the command that made its runs, and the arm that others are compared with
    where it is not the usual one."""

    title: str
    command: str
    baseline: str | None = None


# Commands as they were typed, with the project.yml of commit 1bba0d6.
STUDIES = {
    "mini": Study("Mini corpus", "spacy project run al-mini", "plain"),
    "sweep-conll03": Study(
        "CoNLL-2003, 700 sentences",
        'spacy project run results-conll03 . --vars.results_seeds "[0,1,2,3,4,5]" '
        '--vars.results_arms "-a none -a seqmix"',
    ),
    "webpage": Study(
        "WebPage, 385 sentences",
        'spacy project run results-webpage . --vars.results_seeds "[0,1,2,3,4,5,6]"',
    ),
    "sweep-wikigold": Study(
        "WikiGold, 700 sentences",
        'spacy project run results-wikigold . --vars.results_seeds "[0]" '
        '--vars.results_arms "-a none -a seqmix"',
    ),
    "sweep-m2e2": Study(
        "Event triggers of M2E2",
        'spacy project run results-m2e2 . --vars.results_seeds "[0,1,2,3]" '
        '--vars.results_arms "-a none -a seqmix"',
    ),
    "search-conll03": Study(
        "SeqMix in ten settings, 200 sentences of CoNLL-2003",
        'spacy project run search-conll03 . --vars.search_seeds "[0,1]"',
    ),
    "crf-conll03": Study(
        "A softmax and a CRF on CoNLL-2003, 700 sentences",
        'spacy project run crf-conll03 . --vars.results_seeds "[0,1,2,3,4,5]"',
    ),
    "default-parts-conll03": Study(
        "The parts of the default on CoNLL-2003, 200 sentences",
        "spacy seqmix sweep configs/sweeps/default_parts.cfg SWEEP_DIR --paths.pool train.spacy "
        "--paths.dev dev.spacy --paths.test test.spacy",
    ),
    "default-conll03": Study(
        "The default on CoNLL-2003, 200 sentences that were asked for",
        "spacy seqmix sweep configs/sweeps/default.cfg SWEEP_DIR --paths.pool train.spacy "
        "--paths.dev dev.spacy --paths.test test.spacy",
    ),
    "default-parts-wikigold": Study(
        "The default on WikiGold, 200 sentences",
        "spacy seqmix sweep configs/sweeps/default_parts.cfg SWEEP_DIR --paths.pool train.spacy "
        "--paths.dev dev.spacy --paths.test test.spacy --active.pool_size null "
        '--sweep.seeds "[10,11,12]" --arm softmax --arm "CRF and word shapes"',
    ),
    "protocol-webpage": Study(
        "WebPage, trained as in the SeqMix paper",
        "spacy seqmix sweep configs/sweeps/protocol_webpage.cfg SWEEP_DIR --paths.pool train.spacy "
        "--paths.dev dev.spacy --paths.test test.spacy",
    ),
    "protocol-conll03": Study(
        "CoNLL-2003, trained as in the SeqMix paper",
        "spacy seqmix sweep configs/sweeps/protocol.cfg SWEEP_DIR --paths.pool train.spacy "
        "--paths.dev dev.spacy --paths.test test.spacy",
    ),
    "controls-conll03": Study(
        "CoNLL-2003, 700 sentences: controls and self-training, one seed",
        'spacy project run results-conll03 . --vars.results_seeds "[0]" '
        '--vars.conll03_results_steps "[320,180,190,200,210,220]" '
        '--vars.results_arms "-a none -a self-training -a replacement"',
    ),
    "policies-conll03": Study(
        "Query policies on CoNLL-2003, 700 sentences",
        "spacy seqmix active configs/active.cfg RUN_DIR --active.policy.@misc POLICY",
        "random",
    ),
    "policies-label-mini": Study(
        "Which texts people label: the mini corpus, 220 texts",
        "spacy seqmix sweep configs/sweeps/policies_label.cfg SWEEP_DIR --paths.pool pool.spacy "
        "--paths.dev dev.spacy --paths.test test.spacy",
        "random",
    ),
    "policies-label-conll03": Study(
        "Which texts people label: CoNLL-2003, 220 sentences",
        "spacy seqmix sweep configs/sweeps/policies_label.cfg SWEEP_DIR --paths.pool train.spacy "
        "--paths.dev dev.spacy --paths.test test.spacy --active.pool_size 3000",
        "random",
    ),
    "strategies-conll03": Study(
        "Strategies on CoNLL-2003, 700 sentences", "spacy project run strategies-conll03"
    ),
}


def main(
    name: Annotated[str | None, typer.Argument(help="Study; all of them if left out")] = None,
    runs: Annotated[Path | None, typer.Option(help="Sweep folder whose runs to keep")] = None,
) -> None:
    """Write report.md and curves.png of each study."""
    for study in [name] if name else STUDIES:
        folder = RESULTS / study
        if name and runs is not None:
            keep_runs(runs, folder / "runs.jsonl")
        write_page(folder, STUDIES[study])
        print(folder / "report.md")


def write_page(folder: Path, study: Study) -> None:
    """The report of a study's kept runs, with the learning curves as its only picture."""
    with TemporaryDirectory() as name:
        out = Path(name)
        given = [str(folder / "runs.jsonl")]
        write_report(given, out, study.title, study.command, baseline=study.baseline)
        page = (out / "report.md").read_text("utf8")
        (folder / "report.md").write_text(OTHER_PICTURES.sub("", page), "utf8")
        (folder / PICTURE).write_bytes((out / PICTURE).read_bytes())


if __name__ == "__main__":
    typer.run(main)
