"""The group of all verbs."""

from __future__ import annotations

import click

from pkgstats.cli.group import group
from pkgstats.cli.running import CodedGroup

EXIT_CODES = """
\b
Exit codes: 0 done, 1 failed or not found, 2 wrong usage, 3 storage, 4 the folder is in use, 5 the
folder is damaged, 7 peers or the network, 130 Ctrl-C.
"""


@click.group(
    cls=CodedGroup,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="pkgstats")
def main() -> None:
    """Facts about npm packages, local first: shared by peers, searched on this machine."""


for command in (group,):
    main.add_command(command)
