"""Ratios of mixing and of its language model, in one run. Others have scripts of their own.

    python benchmarks/ratios.py --model LM [--run RUN_DIR]

The look-up against a plain distance, LM scoring against a bare forward, and, of a finished
active-learning run, the share of each round that went into mixing without the language model.
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="gpt2", help="causal LM: hub name, folder or .gguf")
    parser.add_argument("--run", type=Path, help="folder of a run with SeqMix")
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


if __name__ == "__main__":
    main()
