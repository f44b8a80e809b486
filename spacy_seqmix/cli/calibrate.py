"""`spacy seqmix calibrate`."""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..errors import Errors, SeqMixError
from ._common import GpuOption, show_messages
from ._ray import CpusOption, GpusOption, RayAddressOption, WorkersOption, ray_options

__all__ = ["calibrate_cli"]


def calibrate_cli(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE.spacy...", help="Docs, mixed ones or not")
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model", "-m", help="Causal LM: name, folder, .gguf file or package:NAME/PATH"
        ),
    ] = "gpt2",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="PNG to draw, or a folder for perplexity.png"),
    ] = None,
    quantiles: Annotated[
        str, typer.Option("--quantiles", "-q", help="The range to propose, as LOW,HIGH")
    ] = "0.05,0.95",
    sentences: Annotated[
        bool, typer.Option("--sentences", "-s", help="Score each sentence, not whole docs")
    ] = False,
    limit: Annotated[
        int,
        typer.Option("--limit", "-n", min=0, help="Most docs of each kind; 0 for all"),
    ] = 0,
    window: Annotated[int, typer.Option("--window", help="Tokens in a window")] = 5,
    density: Annotated[
        float, typer.Option("--density", help="Least share of entity tokens in a window")
    ] = 0.6,
    lang: Annotated[str, typer.Option("--lang", "-l", help="Language of the docs")] = "en",
    revision: Annotated[
        str | None, typer.Option("--revision", help="Branch, tag or commit of the LM on the hub")
    ] = None,
    start_token: Annotated[
        str | None, typer.Option("--start-token", help="Token before each text, as in the config")
    ] = None,
    trust: Annotated[
        list[str] | None,
        typer.Option("--trust-remote-code", help="Name of a model whose own Python code may run"),
    ] = None,
    ray_address: RayAddressOption = None,
    ray_workers: WorkersOption = None,
    ray_cpus: CpusOption = 1.0,
    ray_gpus: GpusOption = 0.0,
    use_gpu: GpuOption = -1,
) -> None:
    """Show how a language model scores your text, and propose the discriminator's range.

    The right range depends on the model and on the domain. The proposed range lies between two
    quantiles of the perplexities of texts that are not mixed. If there are mixed docs as well, a
    table shows how many of them are in that range.
    """
    from spacy.cli._util import setup_gpu

    from ..files import check_output
    from ..lm.calibration import calibrate
    from ..lm.calibration_text import describe, to_config
    from ..lm.discriminator import PerplexityDiscriminator
    from ..lm.remote import scored_by_workers
    from ..lm.settings import LMSettings
    from ..mixing.segments import Windows
    from ..report.calibration_figure import draw, picture_path, require_matplotlib

    with show_messages():
        limits = _parse_quantiles(quantiles)
        windows = Windows(window, density)
        if output is not None:
            require_matplotlib()
            check_output(picture_path(output), [*paths, Path(model)])
        given = ray_address, ray_workers, ray_cpus, ray_gpus
        ray = ray_options(*given, use_gpu=use_gpu)
        setup_gpu(use_gpu, silent=False)
        settings = LMSettings(
            model, revision=revision, start_token=start_token, trust_remote_code=trust or ()
        )
        discriminator = PerplexityDiscriminator(settings, unit="sentence" if sentences else "doc")
        with scored_by_workers([discriminator], ray):
            calibration = calibrate(
                discriminator, paths, quantiles=limits, windows=windows, limit=limit, lang=lang
            )
        picture = None if output is None else draw(calibration, output)
    print("\n".join(describe(calibration)), to_config(calibration), sep="\n\n")
    if picture is not None:
        msg.good(f"Wrote {picture}")


def _parse_quantiles(text: str) -> tuple[float, float]:
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise SeqMixError(Errors.E516.format(quantiles=text)) from None
    return low, high
