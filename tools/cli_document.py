"""Writes docs/cli.md from the commands' own help, so that it says what they say.

.venv/bin/python tools/cli_document.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from hypermultifeed.cli import main

DOCUMENT: Final = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
WIDTH: Final = 88

ORDER: Final = (
    "create",
    "append",
    "cat",
    "tail",
    "feeds",
    "key",
    "share",
    "clone",
    "sync",
    "peers",
    "network",
    "stop",
    "bootstrap",
    "doctor",
)

BEGINNING: Final = """\
# The command line

This page is what `--help` says: `tools/cli_document.py` writes it. A walk-through is in the
[README](../README.md#on-the-command-line); how peers find each other, in [network.md](network.md).

Values are bytes here: a block is a line, a JSON value or a whole file. Keys are in hex. What is
asked for goes to standard output, remarks and progress to standard error, so that output can be
piped; `--json` makes it one JSON value a line. Ctrl-C ends every verb in order.

While `share`, `clone`, `sync` or `tail --peer` has a folder open, `append`, `cat`, `tail`, `feeds`
and `key` work on it all the same: they ask the running command. So do `peers`, `network`, `stop`.
It can be asked only by who may read the folder, since the secret for it lies there.
"""


def document() -> str:
    """Return the whole page."""
    assert isinstance(main, click.Group)
    verbs = [*ORDER, *sorted(set(main.commands) - set(ORDER))]
    parts = [BEGINNING, section("hypermultifeed", main)]
    parts += [
        section(f"hypermultifeed {verb}", main.commands[verb])
        for verb in verbs
        if not main.commands[verb].hidden
    ]
    return "\n".join(parts)


def section(name: str, command: click.Command) -> str:
    """Return one command's help under its name."""
    context = click.Context(
        command,
        info_name=name,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=main.context_settings.get("help_option_names"),
    )
    return f"## {name}\n\n```text\n{command.get_help(context)}\n```\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
