"""Asking a running `serve`, which has the folder's feeds open."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import click
import httpx

from pkgstats.cli.output import clean
from pkgstats.plain import plain
from pkgstats.runs import read_told
from pkgstats.web.door import CONNECT_S, Door

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pkgstats.runs import Tell


def ask_serve(
    folder: Path, method: Literal["GET", "POST"], what: str, **parameters: str
) -> Any | None:
    """What a running `serve` answers; None if there is none.

    Raises:
        ClickException: it says no; the text says why.
    """
    door = Door.of(folder)
    if door is None:
        return None
    try:
        with called(door) as http:
            answer = http.request(method, what, params=parameters)
            told = answer.json()
    except (httpx.HTTPError, ValueError):
        return None  # it was killed, and its file is still there
    if not answer.is_success:
        refuse(told.get("error", answer.status_code))
    return told


def run_in_serve(folder: Path, what: str, tell: Tell, **asked: Any) -> bool:
    """Let a running `serve` do a run, and tell how it goes; False if there is none.

    Ctrl-C hangs up, which ends the run and not `serve`.

    Args:
        folder: of the node.
        what: ``crawl`` or ``import``.
        tell: is told what the run tells.
        asked: what it needs to know, as JSON can say it or `plain` makes it so.

    Raises:
        ClickException: it says no, or the run has failed; the text says why.
    """
    door = Door.of(folder)
    if door is None:
        return False
    try:
        with called(door) as http, http.stream("POST", what, json=plain(asked)) as answer:
            if not answer.is_success:
                answer.read()
                refuse(answer.json().get("error", answer.status_code))
            for line in answer.iter_lines():
                told = json.loads(line)
                if told["kind"] == "error":
                    refuse(told["told"])
                tell(read_told(told["kind"], told["told"]))
    except httpx.ConnectError:
        return False  # it was killed, and its file is still there
    except httpx.HTTPError:
        refuse("nothing more: it has ended")
    return True


@contextmanager
def called(door: Door) -> Iterator[httpx.Client]:
    """A client that calls a door."""
    with httpx.Client(
        base_url=f"{door.address}/control/",
        headers=door.headers,
        trust_env=False,
        timeout=httpx.Timeout(None, connect=CONNECT_S),
    ) as http:
        yield http


def refuse(why: Any) -> NoReturn:
    """Raise what `serve` says."""
    raise click.ClickException(f"`pkgstats serve` says: {clean(str(why))}")
