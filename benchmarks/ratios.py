"""Every figure that the project promises as a ratio, in one run.

    python benchmarks/ratios.py --model LM [--run RUN_DIR] [--committee RUN_DIR]

The look-up against a plain distance, LM scoring against a bare forward, and, of finished
active-learning runs, the share of each round that went into mixing without the language model, and
what a committee cost. Pool scoring has a benchmark of its own, since it needs an encoder.
"""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path

import lm_scoring
import lookup
import srsly
import torch


def mixing_shares(run: Path) -> list[float]:
    """Seconds of table and mixing over seconds of the round, for each round of a journal."""
    return [
        (record["seconds_mixing"]["table"] + record["seconds_mixing"]["mixing"])
        / sum(record["seconds"].values())
        for record in srsly.read_jsonl(run / "journal.jsonl")
        if record.get("seconds_mixing")
    ]


def committee_costs(run: Path) -> list[float]:
    """Seconds of all members' training over those of one, for each round that trained several."""
    return [
        1 + seconds["committee"] / seconds["train"]
        for seconds in (record["seconds"] for record in srsly.read_jsonl(run / "journal.jsonl"))
        if seconds.get("committee")
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="gpt2", help="causal LM: hub name, folder or .gguf")
    parser.add_argument("--run", type=Path, help="folder of a run with SeqMix")
    parser.add_argument("--committee", type=Path, help="folder of a run with a committee of three")
    args = parser.parse_args()
    print(f"{date.today()}, torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    lookup.main()
    print()
    sys.argv = [sys.argv[0], "--model", args.model]
    lm_scoring.main()
    if args.run is not None:
        shares = mixing_shares(args.run)
        rounds = ", ".join(f"{share:.1%}" for share in shares)
        print(f"\nmixing without the LM, share of each round (target: under 2 %): {rounds}")
    if args.committee is not None:
        costs = ", ".join(f"{cost:.2f}" for cost in committee_costs(args.committee))
        print(f"\ncommittee over one member, each round (target: at most 3.2): {costs}")


if __name__ == "__main__":
    main()
