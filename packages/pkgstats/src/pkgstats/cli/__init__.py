"""The command line: ``pkgstats``, ``python -m pkgstats`` and ``run.py serve``."""

from pkgstats.cli.main import main

__all__ = ["main"]
