"""How fast ``token_probs`` scores a pool, against a bare forward of the same encoder.

    python benchmarks/pool_scoring.py --encoder path/to/encoder [--pool POOL] [--batch-size N]

Prints tokens a second of both, the median of alternating runs, and their ratio (the target is
0.9): the machine's speed cancels out. Below it the same ratio of processor time, which other
programs on the machine disturb less. The bare forward is the encoder alone over the same texts,
in batches of the same size, sorted by their length in word pieces; its texts are tokenised too.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from time import perf_counter, process_time
from typing import Annotated, Any

import spacy
import torch
import typer
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Config

from spacy_seqmix.annotation.docbins import read_docs
from spacy_seqmix.convert.brackets import read_brackets
from spacy_seqmix.query.probabilities import token_probs

ROOT = Path(__file__).parents[1]
TARGET = 0.9


def main(
    encoder: Annotated[str, typer.Option(help="Encoder: name or folder")] = "bert-base-cased",
    pool: Annotated[Path, typer.Option(help="Labelled docs: .spacy, or bracket markup")] = ROOT
    / "assets"
    / "mini"
    / "pool.txt",
    batch_size: Annotated[int, typer.Option(help="Docs at once, of both")] = 128,
    repeats: Annotated[int, typer.Option(help="Runs of each, in turn")] = 7,
    threads: Annotated[int, typer.Option(help="Threads of torch; 0 for its own choice")] = 0,
    gpu_id: Annotated[int, typer.Option(help="GPU id, or -1 for the CPU")] = -1,
) -> None:
    """Time both over the same docs and print the ratio of their rates."""
    if threads:
        torch.set_num_threads(threads)
    if gpu_id >= 0:
        spacy.require_gpu(gpu_id)  # type: ignore[attr-defined]
    nlp = spacy.blank("en")
    docs = read_docs(pool, nlp) if pool.suffix == ".spacy" else list(read_brackets(pool, nlp))
    build(nlp, encoder, docs)
    hf: Any = nlp.get_pipe("transformer")
    tokenizer, module = hf.model.tokenizer, hf.model.transformer
    texts = [doc.text for doc in docs]

    def ours() -> None:
        token_probs(nlp, "seqmix_ner", docs, batch_size)

    def bare() -> None:
        bare_forward(tokenizer, module, texts, batch_size)

    bare()
    ours()  # warm up
    pairs = [(seconds(bare), seconds(ours)) for _ in range(repeats)]
    tokens = sum(map(len, docs))
    print(f"{date.today()}, torch {torch.__version__}, {module.device}, ", end="")
    print(f"{torch.get_num_threads()} threads, encoder {Path(encoder).parent.name}")
    print(f"{len(docs)} docs, {tokens} tokens, batches of {batch_size}, {repeats} runs of each")
    print(f"bare forward: {tokens / statistics.median(b for (b, _), _ in pairs):8.0f} tokens/s")
    print(f"token_probs:  {tokens / statistics.median(o for _, (o, _) in pairs):8.0f} tokens/s")
    for i, (name, note) in enumerate(
        (("ratio", f"target: at least {TARGET}; "), ("processor", ""))
    ):
        ratios = sorted(b[i] / o[i] for b, o in pairs)
        print(f"{name + ':':13} {statistics.median(ratios):8.2f} ({note}", end="")
        print(f"from {ratios[0]:.2f} to {ratios[-1]:.2f})")


def build(nlp: Language, encoder: str, docs: Sequence[Doc]) -> None:
    """Add the pipeline of configs/transformer.cfg with an untrained output layer."""
    path = ROOT / "configs" / "transformer.cfg"
    config = Config().from_disk(path, overrides={"paths.encoder": encoder})
    for name, section in config["components"].items():
        settings = {key: value for key, value in section.items() if key != "factory"}
        nlp.add_pipe(section["factory"], name=name, config=settings)
    nlp.initialize(lambda: [Example(nlp.make_doc(doc.text), doc) for doc in docs[:50]])


def bare_forward(tokenizer: Any, module: Any, texts: Sequence[str], batch_size: int) -> None:
    """Tokenise, sort by length, pad, run the encoder, drop what it says."""
    rows = sorted(tokenizer(list(texts))["input_ids"], key=len)
    module.eval()
    with torch.inference_mode():
        for low in range(0, len(rows), batch_size):
            batch = rows[low : low + batch_size]
            ids = torch.zeros((len(batch), len(batch[-1])), dtype=torch.long)
            mask = torch.zeros_like(ids)
            for i, row in enumerate(batch):
                ids[i, : len(row)] = torch.tensor(row)
                mask[i, : len(row)] = 1
            module(input_ids=ids.to(module.device), attention_mask=mask.to(module.device))
    if module.device.type == "cuda":
        torch.cuda.synchronize()


def seconds(run: Callable[[], object]) -> tuple[float, float]:
    """The time of one call, and the processor's."""
    start, busy = perf_counter(), process_time()
    run()
    return perf_counter() - start, process_time() - busy


if __name__ == "__main__":
    typer.run(main)
