"""`spacy seqmix calibrate`."""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..errors import Errors
from ._warnings import told_warnings

__all__ = ["calibrate_cli"]

SECTIONS = (
    "augment.discriminator",
    "active.mixing.discriminator",
    "corpora.train.augmenter.discriminator",
)


def calibrate_cli(
    in_path: Annotated[Path, typer.Argument(metavar="IN.spacy", help="Docs that are not mixed")],
    lm: Annotated[
        str,
        typer.Option(
            "--lm", help="Causal LM: hub name, folder or .gguf file; alternatives with ' | '"
        ),
    ],
    quantiles: Annotated[
        str, typer.Option("--quantiles", "-q", help="The range to propose, as LOW,HIGH")
    ] = "0.05,0.95",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for perplexity.png and perplexity.json"),
    ] = None,
    mixed: Annotated[
        Path | None,
        typer.Option("--mixed", "-m", help="Mixed docs to compare, made without a discriminator"),
    ] = None,
    sentences: Annotated[
        bool, typer.Option("--sentences", help="Score each sentence, not whole docs")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", help="Docs to draw from each file; 0 for all")
    ] = 0,
    window: Annotated[
        int | None,
        typer.Option(
            "--window", min=1, help="Tokens in a window; by default as in the mixed docs, or 5"
        ),
    ] = None,
    density: Annotated[
        float | None,
        typer.Option("--density", min=0, max=1, help="Least share of entity tokens, or 0.6"),
    ] = None,
    lang: Annotated[str, typer.Option("--lang", "-l", help="Language of the docs")] = "en",
    revision: Annotated[
        str | None, typer.Option("--revision", help="Branch, tag or commit of the LM on the hub")
    ] = None,
    start_token: Annotated[
        str | None, typer.Option("--start-token", help="Token before each text, as in the config")
    ] = None,
    trust: Annotated[
        list[str] | None,
        typer.Option("--trust-remote-code", help="A model whose own Python code may run"),
    ] = None,
    use_gpu: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU id, or -1 for the CPU")] = -1,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars")] = False,
) -> None:
    """Show how a language model scores your text, and propose the discriminator's range.

    The right range depends on the model and on the domain: it is taken between two quantiles of
    what real text scores. With --mixed, also shows what it would keep of mixed docs.
    """
    from spacy.cli._util import setup_gpu

    from ..calibrate import calibrate, describe, require_matplotlib, to_config, write
    from ..models.judge import PerplexityDiscriminator
    from ..models.names import first_available

    try:
        with told_warnings():
            asked = _parse_quantiles(quantiles)
            if output is not None:
                require_matplotlib()
            setup_gpu(use_gpu, silent=False)
            judge = PerplexityDiscriminator(
                first_available(lm),
                revision=revision,
                unit="sentence" if sentences else "doc",
                start_token=start_token,
                trust_remote_code=trust or (),
            )
            found = calibrate(
                judge,
                in_path,
                mixed,
                asked=asked,
                window=window,
                density=density,
                limit=limit,
                lang=lang,
                progress=not quiet,
            )
            if output is not None:
                write(found, output)
    except (ValueError, ImportError, OSError) as err:
        msg.fail(str(err), exits=1)
    print("\n".join(describe(found)), end="\n\n")
    print(f"# for [{SECTIONS[0]}], [{SECTIONS[1]}] or\n# [{SECTIONS[2]}]")
    print("\n".join(to_config(found)))
    if output is not None:
        msg.good(f"Wrote perplexity.png and perplexity.json to {output}")


def _parse_quantiles(text: str) -> tuple[float, float]:
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise ValueError(Errors.E516.format(quantiles=text)) from None
    return low, high
