"""The group of all verbs."""

from __future__ import annotations

import click

from hypermultifeed.cli.bootstrap import bootstrap
from hypermultifeed.cli.local import append, create, doctor, feeds, key
from hypermultifeed.cli.network import share
from hypermultifeed.cli.reading import cat, tail
from hypermultifeed.cli.running import CodedGroup
from hypermultifeed.cli.status import network, peers, stop
from hypermultifeed.cli.syncing import clone, sync

EXAMPLES = """
\b
Examples:
  hypermultifeed create                         a new multifeed in ./multifeed
  echo hello | hypermultifeed append            one block for each line
  hypermultifeed cat                            everything that is here
  hypermultifeed share                          let peers find and fetch it
  hypermultifeed key                            the key to hand to them
  hypermultifeed clone KEY copy                 on the other machine: nothing but the key
  hypermultifeed -d copy sync                   fetch what came since, send what is ours
  hypermultifeed network                        what `share` is doing, from another terminal
"""

EXIT_CODES = """
\b
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 storage, 4 the folder is in use, 5 the folder is
damaged, 6 a feed cannot do that, 7 the peer or the network, 130 Ctrl-C.
"""


@click.group(
    cls=CodedGroup,
    help=f"Many writers, one shared set of signed append-only logs, peer to peer.\n{EXAMPLES}",
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="hypermultifeed")
@click.option(
    "-d",
    "--dir",
    "folder",
    envvar="HYPERMULTIFEED_DIR",
    default="multifeed",
    show_default="./multifeed, or $HYPERMULTIFEED_DIR",
    type=click.Path(file_okay=False),
    help="The folder of the multifeed.",
)
@click.option(
    "--root-key",
    envvar="HYPERMULTIFEED_KEY",
    metavar="HEX",
    help="The multifeed's key, where the folder holds several. Better set as $HYPERMULTIFEED_KEY.",
)
@click.pass_context
def main(context: click.Context, folder: str, root_key: str | None) -> None:  # noqa: D103
    context.obj = (folder, root_key)


for command in (
    create,
    append,
    cat,
    tail,
    feeds,
    key,
    share,
    sync,
    clone,
    peers,
    network,
    stop,
    bootstrap,
    doctor,
):
    main.add_command(command)
