"""What runs in the process that renders readmes: ``python -P -m pkgstats.markup.worker``.

It says that it is ready with an empty frame, then answers one question after another until its
input ends, as it does when whoever started it ends. A frame is four bytes of length, the highest
first, and so many bytes. A question is JSON: text, repository, directory, whether to show images.
An answer is `rendered.pack`'s; an empty one says that it could not be done.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import IO, Final

from pkgstats.markup.links import Base
from pkgstats.markup.render import render
from pkgstats.markup.rendered import HEADER_BYTES, framed, pack

OWN_SECONDS_MAX: Final = 10.0
"""After this a worker whose owner is gone, and so cannot end it, ends itself."""


def serve(questions: IO[bytes], answers: IO[bytes]) -> None:
    """Answer until there are no more questions."""
    answers.write(framed(b""))
    answers.flush()
    while header := questions.read(HEADER_BYTES):
        question = questions.read(int.from_bytes(header, "big"))
        own_end = threading.Timer(OWN_SECONDS_MAX, os._exit, [1])
        own_end.daemon = True
        own_end.start()
        answers.write(framed(answer(question)))
        own_end.cancel()
        answers.flush()


def answer(question: bytes) -> bytes:
    """One answer; empty for a text that breaks what should render it."""
    try:
        text, repository, directory, images = json.loads(question)
        return pack(render(text, base=Base(repository, directory), images=images))
    except Exception:
        return b""


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
