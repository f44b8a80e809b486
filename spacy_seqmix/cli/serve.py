"""`spacy seqmix serve`."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated

import typer
from wasabi import msg

from ._common import CodeOption, GpuOption, printable, show_messages

__all__ = ["serve_cli"]


def serve_cli(
    name: Annotated[
        str,
        typer.Argument(
            metavar="RUN_DIR|MODEL",
            help="Folder of a run of `active`, whose last pipeline answers; or a pipeline: folder "
            "or package",
        ),
    ],
    host: Annotated[
        str,
        typer.Option("--host", help="Address to listen to; others than 127.0.0.1 let others in"),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port; 0 is any that is free")
    ] = 9090,
    train: Annotated[
        bool,
        typer.Option("--train", help="Train as well: run `active` with the config of RUN_DIR"),
    ] = False,
    key_env: Annotated[
        str | None,
        typer.Option(
            "--key-env",
            metavar="NAME",
            help="Environment variable with the secret of the address; by default the run keeps "
            "one, and a pipeline gets a new one each time",
        ),
    ] = None,
    use_gpu: GpuOption = -1,
    code: CodeOption = None,
) -> None:
    """Suggest labels in Label Studio: serve a pipeline as its ML backend.

    The terminal shows the address to connect. Where the pipeline of RUN_DIR changes, the new one
    answers as soon as it is loaded.
    """
    from ..annotate.serving import check_installed

    with show_messages():
        check_installed()
        from spacy.cli._util import setup_gpu

        from ..annotate.backend.serve import serve

        setup_gpu(use_gpu, silent=False)
        options = ["--gpu-id", str(use_gpu)]
        options += [] if code is None else ["--code", str(code)]
        serve(
            name,
            host=host,
            port=port,
            key_variable=key_env,
            train=options if train else None,
            on_start=lambda address: _show(name, host, address),
            show=lambda message: msg.warn(printable(message)),
        )
    msg.good("The backend has ended.")


def _show(name: str, host: str, address: str) -> None:
    msg.text(f"Suggestions of {name} for Label Studio. In its project, open Settings > Model >")
    msg.text("Connect Model, and paste this address, which has a secret:")
    msg.good(address)
    if _is_private(host):
        msg.text(
            'Label Studio refuses addresses of its own machine and of private networks ("URL '
            'resolves to a reserved network address"), unless its server was started with '
            "ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false in its environment."
        )
    msg.text("Ctrl-C ends it.")


def _is_private(host: str) -> bool:
    """Whether Label Studio refuses an address as a rule; a name may stand for such a one, too."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return True
