"""Options of commands whose work a Ray cluster can do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..parallel.workers import RayOptions

__all__ = ["CpusOption", "GpusOption", "RayAddressOption", "WorkersOption", "ray_options"]

RayAddressOption = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        envvar="RAY_ADDRESS",
        help="Let a Ray cluster do the work: local, auto or HOST:PORT",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--ray-workers", min=1, help="At most this many workers of the Ray cluster"),
]
CpusOption = Annotated[
    float, typer.Option("--ray-cpus", min=0.0, help="CPUs of each worker of the Ray cluster")
]
GpusOption = Annotated[
    float, typer.Option("--ray-gpus", min=0.0, help="GPUs of each worker of the Ray cluster")
]


def ray_options(
    address: str | None,
    workers: int | None,
    cpus: float,
    gpus: float,
    code: Path | None = None,
    *,
    use_gpu: int = -1,
) -> RayOptions | None:
    """What the options say; None to work without Ray.

    code (Path | None): the file of the option --code.
    use_gpu (int): --gpu-id of a command that leaves all that needs a GPU to the cluster.
    RAISES (SeqMixError): S777 for --gpu-id with a cluster, S780 for other options without one.
    """
    from ..errors import Errors, SeqMixError
    from ..parallel.workers import RayOptions

    if address:
        if use_gpu >= 0:
            raise SeqMixError(Errors.E777.format(option="--gpu-id", other="--ray-gpus"))
        return RayOptions(address, workers, cpus, gpus, code)
    given = {"--ray-workers": workers is not None, "--ray-cpus": cpus != 1.0, "--ray-gpus": gpus}
    for option, is_given in given.items():
        if is_given:
            raise SeqMixError(Errors.E780.format(option=option))
    return None
