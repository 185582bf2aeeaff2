"""How other processes ask a running node."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from pkgstats.past import BeingMadeError, PastError
from pkgstats.readmes import ReadmeError
from pkgstats.web.door import DOOR_BYTES_MAX, FILE, Door, FetchError, NodeDoor, new_secret
from pkgstats.web.server import listening, serving

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

SECRET = new_secret()


def test_a_door_is_found_again_by_its_user_alone(tmp_path: Path) -> None:
    assert Door.of(tmp_path) is None
    door = Door("http://127.0.0.1:1", SECRET, "http://127.0.0.1:2", fetches=True)
    for _ in range(2):
        door.write(tmp_path)
        assert Door.of(tmp_path) == door
    if sys.platform != "win32":
        assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    Door.remove(tmp_path)
    Door.remove(tmp_path)
    assert Door.of(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"address": 1}', "{" * 5000, "ü", "1"])
def test_a_file_that_tells_of_no_door(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, "utf-8")
    assert Door.of(tmp_path) is None
    (tmp_path / FILE).write_text(" " * DOOR_BYTES_MAX + '{"address": "a", "secret": "b"}')
    assert Door.of(tmp_path) is None


async def answer(request: Request) -> JSONResponse | PlainTextResponse:
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    what = request.url.path.removeprefix("/control/")
    asked = dict(request.query_params)
    if asked.get("name") == "nonsense":
        return PlainTextResponse("no JSON")
    if asked.get("name") == "none" or asked.get("day") == "1":
        return JSONResponse({"error": f"no {what}"}, 400)
    if asked.get("day") == "2":
        return JSONResponse({"error": "wait"}, 202)
    return JSONResponse({"readme": "# Text", "peers": {"peers": []}}.get(what))


async def test_each_question_has_its_answer_and_its_error() -> None:
    app = Starlette(routes=[Route("/control/{what}", answer, methods=["GET", "POST"])])
    async with serving(app, listening(port=0)) as address, NodeDoor(Door(address, SECRET)) as door:
        assert await door.readme("a") == "# Text"
        assert not door.fetches
        assert await door.peers() == {"peers": []}
        await door.fetch("a")
        await door.past(3)
        with pytest.raises(ReadmeError, match="no readme"):
            await door.readme("none")
        with pytest.raises(ReadmeError, match="does not answer"):
            await door.readme("nonsense")
        with pytest.raises(FetchError, match="no fetch"):
            await door.fetch("none")
        with pytest.raises(PastError, match="no past"):
            await door.past(1)
        with pytest.raises(BeingMadeError, match="wait"):
            await door.past(2)


async def test_a_node_that_has_gone_is_said_to_be_away() -> None:
    with listening(port=0) as listener:
        port = listener.getsockname()[1]
    async with NodeDoor(Door(f"http://127.0.0.1:{port}", SECRET)) as door:
        with pytest.raises(ReadmeError, match="does not answer"):
            await door.readme("a")
        assert await door.peers() is None
