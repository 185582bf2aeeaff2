"""What runs in the process that renders."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

from pkgstats.markup import worker
from pkgstats.markup.rendered import framed, unpack


def test_it_says_that_it_is_ready_and_answers_in_turn() -> None:
    questions = [["# a", "", "", False], ["[b](c)", "owner/name", "d", True]]
    asked = io.BytesIO(b"".join(framed(json.dumps(one).encode()) for one in questions))
    said = io.BytesIO()
    worker.serve(asked, said)
    said.seek(0)
    assert said.read(4) == framed(b"")
    answers = []
    while header := said.read(4):
        answers.append(unpack(said.read(int.from_bytes(header, "big"))).html)
    assert answers[0] == '<h2 id="r-a">a</h2>\n'
    assert "https://github.com/owner/name/blob/HEAD/d/c" in answers[1]


@pytest.mark.parametrize("question", [b"", b"[]", b"[1, 2, 3, 4]"])
def test_a_question_that_breaks_it_has_an_empty_answer(question: bytes) -> None:
    assert worker.answer(question) == b""


def test_a_worker_that_nobody_can_end_any_more_ends_itself() -> None:
    program = (
        "import sys; from pkgstats.markup import worker; worker.OWN_SECONDS_MAX = 0.1; "
        "worker.serve(sys.stdin.buffer, sys.stdout.buffer)"
    )
    slow = framed(json.dumps(["![" * 200_000, "", "", False]).encode())
    found = subprocess.run(
        [sys.executable, "-c", program], input=slow, capture_output=True, timeout=60, check=False
    )
    assert found.returncode == 1
    assert found.stdout == framed(b"")
