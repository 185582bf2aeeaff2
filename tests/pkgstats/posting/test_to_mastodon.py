from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pkgstats.posting.poster import BusyError, LostError, PostError, RefusedError, UnfitError
from pkgstats.posting.to_mastodon import (
    ANSWER_MAX,
    TOKEN_MAX,
    MastodonPoster,
    checked_base,
    checked_token,
)

from .stand_in import TOKEN, Server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def poster(server: Server) -> MastodonPoster:
    return MastodonPoster(server.url, TOKEN, visibility="unlisted")


async def test_a_post_is_what_the_api_says(server: Server, poster: MastodonPoster) -> None:
    await poster.send("Popular: ä", "key-1")
    (asked,) = server.asked
    assert asked.path == "/api/v1/statuses"
    assert asked.body == {"status": "Popular: ä", "visibility": "unlisted"}
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["idempotency-key"] == "key-1"
    assert server.posts == ["Popular: ä"]


async def test_a_wrong_token_is_refused(server: Server) -> None:
    with pytest.raises(RefusedError, match=r"token .*401: The access token is invalid.*write:"):
        await MastodonPoster(server.url, "wrong").send("a", "k")
    assert server.posts == []


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (403, b"{}", RefusedError, "token"),
        (404, b"<html>", RefusedError, "does not take posts .status 404."),
        (422, b'{"error": "Text \\u001b[31m too long"}', UnfitError, "422: Text \ufffd.31m too"),
        (500, b'{"id": "1"}', LostError, "does not say that it was posted"),
        (503, b"[" * 99_999, LostError, "status 503"),
        (200, b"{}", LostError, "does not say"),
        (200, b"<html>", LostError, "does not say"),
        (200, b'["id"]', LostError, "does not say"),
        (200, b'{"id":"1"}' + b" " * ANSWER_MAX, LostError, "does not say"),
        (0, b"", LostError, "no answer"),
    ],
)
async def test_other_answers_are_errors(
    server: Server,
    poster: MastodonPoster,
    status: int,
    body: bytes,
    error: type[PostError],
    said: str,
) -> None:
    server.script(status, body=body)
    with pytest.raises(error, match=said) as found:
        await poster.send("a", "k")
    assert len(str(found.value)) < 500


async def test_too_many_posts_say_how_long_to_wait(server: Server, poster: MastodonPoster) -> None:
    server.script(429, {"Retry-After": "77"})
    with pytest.raises(BusyError) as found:
        await poster.send("a", "k")
    assert found.value.wait_s == 77


async def test_a_redirect_is_not_followed_with_the_token(
    server: Server, poster: MastodonPoster
) -> None:
    with Server() as other:
        for status in (301, 307, 308):
            server.script(status, {"location": f"{other.url}/api/v1/statuses"})
            with pytest.raises(RefusedError, match="elsewhere"):
                await poster.send("a", "k")
        assert other.asked == []


async def test_who_is_not_there_has_taken_nothing() -> None:
    with Server() as gone:
        url = gone.url
    with pytest.raises(RefusedError, match="not reached"):
        await MastodonPoster(url, TOKEN).send("a", "k")


async def test_an_answer_that_never_ends_is_given_up() -> None:
    gone = asyncio.Event()

    async def begin_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        await reader.read()
        writer.close()
        await writer.wait_closed()
        gone.set()

    async with await asyncio.start_server(begin_only, "127.0.0.1") as silent:
        port = silent.sockets[0].getsockname()[1]
        poster = MastodonPoster(f"http://localhost:{port}", TOKEN, deadline_s=0.2)
        with pytest.raises(LostError, match="no answer"):
            await poster.send("a", "k")
        await gone.wait()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://social.example", "https is needed"),
        ("http://127.0.0.1.evil.example", "https is needed"),
        ("https://me:secret@social.example", "password"),
        ("ftp://social.example", "looks like"),
        ("https://", "looks like"),
        ("https://social.example/?a=b", "looks like"),
        ("https://social.example:port", "looks like"),
        ("https://" + "a" * 9999, "looks like"),
    ],
)
def test_a_token_goes_nowhere_else(address: str, said: str) -> None:
    with pytest.raises(PostError, match=said):
        checked_base(address)


@pytest.mark.parametrize(
    "address", ["https://social.example", "http://localhost:1", "http://[::1]:1", "https://a.b/c"]
)
def test_addresses_lose_their_last_slash(address: str) -> None:
    assert checked_base(f"{address}/") == checked_base(address) == address


@pytest.mark.parametrize("token", ["", " \n", "a\nb", "ä", "x" * (TOKEN_MAX + 1)])
def test_what_is_no_token_is_said(token: str) -> None:
    with pytest.raises(PostError, match="token"):
        checked_token(token)
    assert checked_token(f" {TOKEN}\n") == TOKEN
