"""The command line: ``hypermultifeed`` and ``python -m hypermultifeed``.

Each verb opens one folder, does one thing and closes the folder again, so that the next process can
have it. Standard output carries the answer; progress and remarks go to standard error.
"""

from __future__ import annotations

from hypermultifeed.cli.group import main

__all__ = ["main"]
