"""For all tests.

A shell starts its background jobs with interrupts ignored, and so would be what the tests start;
several of them end a program with Ctrl-C.
"""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
