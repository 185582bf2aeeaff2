"""The group of all verbs."""

from __future__ import annotations

import click

from pkgstats.cli.crawling import crawl, import_
from pkgstats.cli.demo import demo, writer
from pkgstats.cli.digesting import digest
from pkgstats.cli.exporting import export
from pkgstats.cli.group import group
from pkgstats.cli.packages import compare, show, user
from pkgstats.cli.pages import pages
from pkgstats.cli.rebuilding import rebuild
from pkgstats.cli.running import CodedGroup
from pkgstats.cli.search import search
from pkgstats.cli.serving import peers, serve
from pkgstats.cli.stats import stats
from pkgstats.cli.writers import why, writers

EXIT_CODES = """
\b
Exit codes: 0 done, 1 failed or not found, 2 wrong usage, 3 storage, 4 the folder is in use, 5 the
folder is damaged, 7 peers or the network, 130 Ctrl-C.
"""


class Verbs(CodedGroup):
    """Lists verbs in their order, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs."""
        del ctx
        return list(self.commands)


@click.group(
    cls=Verbs,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="pkgstats")
def main() -> None:
    """Facts about npm packages, local first: shared by peers, searched on this machine."""


COMMANDS = (
    serve,
    search,
    show,
    user,
    compare,
    stats,
    why,
    writers,
    group,
    peers,
    crawl,
    import_,
    export,
    digest,
    rebuild,
    demo,
    writer,
    pages,
)
"""In the order in which help shows them."""

for command in COMMANDS:
    main.add_command(command)
