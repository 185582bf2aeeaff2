"""The tool that takes the pictures: what it waits for, and the line that it slows down."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest
from tools.pictures import NETWORK, PICTURES, SHOWN, SIZE_MAX, TOTAL_MAX, lags
from tools.slow_line import HOST, slow_line

from .repository import ROOT

PEER = {"key": "12345678"}


def told(read: int, length: int | None, *peers: Any) -> dict[str, Any]:
    """A writer of whose index so much is here, beside the group's list, of which all is."""
    behind = None if length is None else length - read
    index = {"read": read, "length": length}
    writer = {"behind": behind, "cores": [index, {"read": 0, "length": 0}]}
    owner = {"behind": 0, "cores": [{"read": 1, "length": 1}]}
    return {"peers": list(peers), "writers": [writer, owner]}


@pytest.mark.parametrize(
    ("network", "shows"),
    [
        (told(5, 14, PEER), True),
        (told(5, 14), False),
        (told(1, 14, PEER), False),
        (told(14, 14, PEER), False),
        (told(5, None, PEER), False),
        ({"peers": [PEER], "writers": []}, False),
    ],
    ids=["half of it", "nobody is there", "next to nothing", "all", "length unknown", "no writer"],
)
def test_the_network_is_shown_while_a_node_lags(network: dict[str, Any], shows: bool) -> None:
    assert lags(network) == shows


def test_the_pictures_of_the_documents_are_those_that_the_tool_takes() -> None:
    names = {f"pages-{one.name}.png" for one in SHOWN}
    sizes = {file.name: file.stat().st_size for file in PICTURES.glob("pages-*.png")}
    assert sizes.keys() == names
    assert max(sizes.values()) <= SIZE_MAX
    assert sum(sizes.values()) <= TOTAL_MAX
    document = (ROOT / "docs" / "pkgstats.md").read_text(encoding="utf-8")
    assert f"pictures/pages-{NETWORK}.png" in document


def test_a_slow_line_carries_all_of_it_both_ways_but_not_at_once() -> None:
    sent, rate = bytes(range(256)) * 64, 100_000
    with socket.create_server((HOST, 0)) as far:
        threading.Thread(target=echo, args=(far,), daemon=True).start()
        began = time.monotonic()
        with (
            slow_line(far.getsockname()[1], rate) as port,
            socket.create_connection((HOST, port), timeout=30) as near,
        ):
            near.sendall(sent)
            near.shutdown(socket.SHUT_WR)
            with near.makefile("rb") as answer:
                assert answer.read() == sent
        assert time.monotonic() - began >= len(sent) / rate
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port), timeout=30)


def echo(server: socket.socket) -> None:
    """Send back what comes."""
    one, _ = server.accept()
    with one:
        while data := one.recv(65_536):
            one.sendall(data)
