"""What a networker remembers of failed connections."""

from __future__ import annotations

import asyncio

from tests.faults.virtual_time import virtual_time

from hypermultifeed.errors import HandshakeError
from hypermultifeed.network.report import FAILURES_KEPT, FailedConnection, FailureLog


@virtual_time
async def test_the_latest_failures_are_kept_with_their_age() -> None:
    log = FailureLog()
    loop = asyncio.get_running_loop()
    assert log.report(loop.time()) == ()
    log.note(HandshakeError("no"), ("192.0.2.1", 1), initiator=False, public_key=b"k" * 32)
    await asyncio.sleep(5)
    log.note(ConnectionRefusedError("nobody"), ("192.0.2.2", 2), initiator=True)
    first, second = log.report(loop.time() + 1)
    known, nobody = b"k" * 32, "ConnectionRefusedError"
    assert first == FailedConnection(("192.0.2.1", 1), False, known, "ERR_HANDSHAKE", "no", 6.0)  # noqa: FBT003
    assert second == FailedConnection(("192.0.2.2", 2), True, None, nobody, "nobody", 1.0)  # noqa: FBT003
    for port in range(FAILURES_KEPT):
        log.note(OSError(), ("192.0.2.3", port), initiator=True)
    assert [one.address[1] for one in log.report(0.0)] == list(range(FAILURES_KEPT))
