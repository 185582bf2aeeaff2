"""Asking a running `serve`, which has the folder's feeds open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click
import httpx

from pkgstats.web.door import CONNECT_S, Door

if TYPE_CHECKING:
    from pathlib import Path


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
        with httpx.Client(trust_env=False, timeout=httpx.Timeout(None, connect=CONNECT_S)) as http:
            answer = http.request(
                method,
                f"{door.address}/control/{what}",
                params=parameters,
                headers=door.headers,
            )
            told = answer.json()
    except (httpx.HTTPError, ValueError):
        return None  # it was killed, and its file is still there
    if answer.is_success:
        return told
    raise click.ClickException(f"`pkgstats serve` says: {told.get('error', answer.status_code)}")
