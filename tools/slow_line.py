"""A line to a port of this machine that carries only so much a second: catching up can be watched.

It is for tools; nothing of it is in the packages.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"

CHUNK = 4096
"""Bytes that are carried at a time."""

LOOK_EVERY_S = 0.1
"""How often it is looked whether the block has ended: not everywhere does that wake who waits."""


@contextmanager
def slow_line(port: int, bytes_per_s: float) -> Iterator[int]:
    """A port that leads to another one as long as the block lasts.

    Args:
        port: where it leads to.
        bytes_per_s: how much it carries each way, of each connection.
    """
    ended = threading.Event()
    with socket.create_server((HOST, 0)) as server:
        server.settimeout(LOOK_EVERY_S)
        accepting = threading.Thread(target=_accept, args=(server, ended, port, bytes_per_s))
        accepting.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            accepting.join()


def _accept(server: socket.socket, ended: threading.Event, port: int, bytes_per_s: float) -> None:
    while not ended.is_set():
        with suppress(TimeoutError):
            arguments = (server.accept()[0], port, bytes_per_s)
            threading.Thread(target=_connect, args=arguments, daemon=True).start()


def _connect(near: socket.socket, port: int, bytes_per_s: float) -> None:
    with near, socket.create_connection((HOST, port)) as far:
        back = threading.Thread(target=_carry, args=(far, near, bytes_per_s), daemon=True)
        back.start()
        _carry(near, far, bytes_per_s)
        back.join()


def _carry(source: socket.socket, target: socket.socket, bytes_per_s: float) -> None:
    with suppress(OSError):  # either end has gone
        while data := source.recv(CHUNK):
            time.sleep(len(data) / bytes_per_s)
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
