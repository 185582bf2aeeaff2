"""What runs in the process that renders readmes: ``python -P -m pkgstats.markup.worker``.

It says that it is ready with an empty frame, then answers one question after another until its
input ends, as it does when whoever started it ends. A frame is four bytes of length, the highest
first, and so many bytes. A question is JSON: text, repository, directory, whether to show images.
An answer is `rendered.pack`'s; an empty one says that it could not be done.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from typing import IO, Final

from pkgstats.markup.links import Base
from pkgstats.markup.render import render
from pkgstats.markup.rendered import HEADER_BYTES, framed, pack

OWN_SECONDS_MAX: Final = 10.0
"""After this a worker whose owner is gone, and so cannot end it, ends itself."""


def serve(questions: IO[bytes], answers: IO[bytes], traces: IO[str]) -> None:
    """Answer until there are no more questions.

    Args:
        questions: what is asked.
        answers: what is said.
        traces: a file of the system, for what Python says when it ends itself.
    """
    answers.write(framed(b""))
    answers.flush()
    while header := questions.read(HEADER_BYTES):
        question = questions.read(int.from_bytes(header, "big"))
        # The clock is a thread in C: neither a regular expression nor nh3 keeps it waiting.
        faulthandler.dump_traceback_later(OWN_SECONDS_MAX, exit=True, file=traces)
        answers.write(framed(answer(question)))
        faulthandler.cancel_dump_traceback_later()
        answers.flush()


def answer(question: bytes) -> bytes:
    """One answer; empty for a text that breaks what should render it."""
    try:
        text, repository, directory, images = json.loads(question)
        return pack(render(text, base=Base(repository, directory), images=images))
    except Exception:
        return b""


if __name__ == "__main__":
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        serve(sys.stdin.buffer, sys.stdout.buffer, nowhere)
