"""``python -m hypermultifeed``: the command line."""

from __future__ import annotations

from hypermultifeed.cli import main

main(prog_name="hypermultifeed")
