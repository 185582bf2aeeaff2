"""``pkgstats export``: the list of all packages as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pkgstats import transfer
from pkgstats.cli.folder import prepared_group
from pkgstats.cli.options import data_option, json_option
from pkgstats.cli.output import number, show_json
from pkgstats.folder import VIEW_FILE
from pkgstats.view.reading import View


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["tsv", "ndjson", "csv"]), help="Else by the name."
)
@data_option
@json_option
def export(folder: Path, file: Path, form: Any, as_json: bool) -> None:
    """Write the list of all packages to FILE (-: standard output), most downloaded first.

    The format is that of the file's name unless --format says it: .ndjson, .csv or .tsv.
    """
    chosen = form or ("ndjson" if str(file) == "-" else transfer.format_of(file))
    prepared_group(folder)
    with View.open(folder / VIEW_FILE) as view:
        lines = transfer.export_lines(view.listing_rows(), chosen)
        if str(file) == "-":
            for line in lines:
                click.echo(line, nl=False)
            return
        rows = transfer.write_lines(file, lines) - (chosen != "ndjson")
    if as_json:
        show_json({"rows": rows, "file": str(file)})
    else:
        click.echo(f"{number(rows)} packages are in {file}")
