"""How much ``CausalLM.token_nlls`` costs over a bare forward, and what bfloat16 saves.

    python benchmarks/lm_scoring.py --model path/to/SmolLM2-135M-Instruct.Q4_1.gguf

Prints ratios of times, the median of alternating runs: the machine's speed cancels out. The bare
forward is the same model over the same texts in the same precision, in batches sorted by length.
Prints also the share of padding in our batches.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import spacy
import torch
from spacy.tokens import DocBin

from spacy_seqmix.lm import token_scores
from spacy_seqmix.lm.causal_lm import CausalLM, perplexity
from spacy_seqmix.lm.inputs import Inputs


def read_texts(path: Path | None, limit: int, seed: int) -> list[str]:
    """Texts of a .spacy file, or lines of a text file; without one, of the mini corpus."""
    if path is None:
        files = sorted(Path(__file__).parents[1].glob("assets/mini/**/*.txt"))
        lines = [line for file in files for line in file.read_text("utf8").splitlines()]
    elif path.suffix == ".spacy":
        docs = DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab)
        lines = [doc.text for doc in docs]
    else:
        lines = path.read_text("utf8").splitlines()
    lines = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    order = np.random.default_rng(seed).permutation(len(lines))[:limit]
    return [lines[i] for i in order]


def bare_forward(lm: CausalLM, texts: list[str], batch_size: int, dtype: str) -> None:
    """Tokenise, sort, pad, run the model, drop what it says."""
    encoded = lm.tokenizer(texts, add_special_tokens=False)["input_ids"]
    # Inputs without their last token, whose successor nobody asks for: as token_nlls does it.
    ids = sorted(([lm.start_id, *one][:-1][: lm.window] for one in encoded), key=len, reverse=True)
    with (
        torch.inference_mode(),
        torch.autocast(lm.device.type, torch.bfloat16, enabled=dtype == "bfloat16"),
    ):
        for low in range(0, len(ids), batch_size):
            rows = ids[low : low + batch_size]
            inputs = torch.full((len(rows), len(rows[0])), lm.start_id)
            mask = torch.zeros_like(inputs)
            for i, row in enumerate(rows):
                inputs[i, : len(row)] = torch.tensor(row)
                mask[i, : len(row)] = 1
            lm.model(
                input_ids=inputs.to(lm.device),
                attention_mask=mask.to(lm.device),
                use_cache=False,
            )
    if lm.device.type == "cuda":
        torch.cuda.synchronize()


def seconds(run: Callable[[], object]) -> float:
    """The time of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="gpt2", help="hub name, folder or .gguf file")
    parser.add_argument("--texts", type=Path, help=".spacy or .txt file (default: mini corpus)")
    parser.add_argument("--limit", type=int, default=64, help="texts to draw")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    lm = CausalLM.load(args.model)
    texts = read_texts(args.texts, args.limit, args.seed)
    bare: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    ours: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    for dtype in bare:
        lm.token_nlls(texts[: args.batch_size], dtype=dtype)  # warm up
    for _ in range(args.repeats):
        for dtype in bare:
            # Bound as defaults: a closure would see the loop's last dtype.
            bare[dtype].append(
                seconds(lambda d=dtype: bare_forward(lm, texts, args.batch_size, d))  # type: ignore[misc]
            )
            ours[dtype].append(
                seconds(lambda d=dtype: lm.token_nlls(texts, batch_size=args.batch_size, dtype=d))  # type: ignore[misc]
            )
    exact, rough = (lm.token_nlls(texts, dtype=dtype) for dtype in ("float32", "bfloat16"))
    tokens = sum(map(len, exact))
    print(f"{len(texts)} texts, {tokens} tokens, {lm.device}, {torch.get_num_threads()} threads")
    for dtype in bare:
        ratio = statistics.median(o / b for o, b in zip(ours[dtype], bare[dtype], strict=True))
        rate = tokens / statistics.median(ours[dtype])
        print(f"token_nlls / bare forward, {dtype}: {ratio:.2f} (target 1.20); {rate:.0f} tokens/s")
    faster = statistics.median(
        f / b for f, b in zip(ours["float32"], ours["bfloat16"], strict=True)
    )
    print(f"float32 / bfloat16, token_nlls: {faster:.2f}")
    pairs = [(perplexity(a), perplexity(b)) for a, b in zip(exact, rough, strict=True) if len(a)]
    off = statistics.median(abs(b / a - 1) for a, b in pairs)
    print(f"perplexity in bfloat16 off by {off:.1%} (median), median {np.median(pairs):.0f}")
    for dtype in bare:
        share = padding_of(lm, texts, args.batch_size, dtype)
        print(f"padding, {dtype}: {share:.1%} of the tokens of batches (target: below 3%)")
    print(in_processes(args.model, texts, args.repeats))


def padding_of(lm: CausalLM, texts: list[str], batch_size: int, dtype: str) -> float:
    """The share of padding tokens in the model's input."""
    sizes, make = [0, 0], token_scores.make_batches

    def counted(*given: Any, **more: Any) -> Iterator[Inputs]:
        for batch in make(*given, **more):
            sizes[0] += batch.tokens.size
            sizes[1] += len(np.unique(np.concatenate(batch.places)))
            yield batch

    token_scores.make_batches = counted
    try:
        lm.token_nlls(texts, batch_size=batch_size, dtype=dtype)
    finally:
        token_scores.make_batches = make
    return 1.0 - sizes[1] / sizes[0]


def in_processes(model: str, texts: list[str], repeats: int) -> str:
    """The component in one process and in two, which share the model."""
    nlp = spacy.blank("en")
    nlp.add_pipe("seqmix_discriminator", config={"model": model})
    nlp(texts[0])
    taken: dict[int, list[float]] = {1: [], 2: []}
    batch = max(1, len(texts) // 4)
    for _ in range(repeats):
        for n, of in taken.items():
            of.append(
                seconds(lambda n=n: list(nlp.pipe(texts, n_process=n, batch_size=batch)))  # type: ignore[misc]
            )
    ratio = statistics.median(two / one for one, two in zip(*taken.values(), strict=True))
    return f"nlp.pipe, two processes / one: {ratio:.2f}; {len(texts) / min(taken[1]):.1f} texts/s"


if __name__ == "__main__":
    main()
