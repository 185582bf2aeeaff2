"""``python -m hypermultifeed``: the command line."""

from __future__ import annotations

import sys

try:
    from hypermultifeed.cli import main
except KeyboardInterrupt:  # Ctrl-C while Python still loads
    sys.exit(130)

main(prog_name="hypermultifeed")
