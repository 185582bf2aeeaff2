"""``python -m pkgstats``: the command line."""

from __future__ import annotations

from pkgstats.cli import main

main(prog_name="pkgstats")
