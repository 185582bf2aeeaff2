"""``pkgstats pages``: the pages' process, which `serve` and `demo` start."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from pkgstats.cli.options import data_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command(hidden=True)
@data_option
@click.option("--host", required=True, help="Where to listen.")
@click.option("--port", required=True, type=click.IntRange(0, 65535), help="Where to listen.")
@click.option("--settings", default="{}", help="How to serve them, as JSON.")
def pages(folder: Path, host: str, port: int, settings: str) -> None:
    """Be the pages of a node that runs; started by `serve` and `demo`."""
    from pkgstats.web.process import run_pages  # noqa: PLC0415 - nobody else needs it
    from pkgstats.web.site import Settings  # noqa: PLC0415

    run_pages(folder, host, port, Settings(**json.loads(settings)))
