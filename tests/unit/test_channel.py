"""One end of a channel."""

from __future__ import annotations

from typing import Any

from hypermultifeed.keys import NoiseKeyPair, discovery_key
from hypermultifeed.replication.channel import NOBODY, Channel, ChannelHandler, SessionOwner
from hypermultifeed.replication.channels import Session
from hypermultifeed.wire.messages import (
    Cancel,
    Data,
    Have,
    MessageType,
    Options,
    Request,
    Status,
    Unhave,
    Unwant,
    Want,
    encode_have,
)

KEY = bytes([7]) * 32


def session() -> Session:
    return Session(
        initiator=True,
        key_pair=NoiseKeyPair.from_seed(bytes(32)),
        ephemeral_seed=bytes(32),
        nonce=bytes(24),
        now=0.0,
    )


def test_a_channel_that_is_not_open_sends_nothing_and_closes_quietly() -> None:
    owner = session()
    channel = Channel(owner, discovery_key(KEY))
    before = owner.output_size
    channel.send(MessageType.HAVE, encode_have(0))
    channel.send_extension(0, b"x")
    channel.set_timer(5.0)
    channel.close()
    assert owner.output_size == before
    assert owner.get_timer() != 5.0
    assert channel.closed
    assert channel.session is owner
    assert channel.handler is NOBODY


def test_handlers_and_owners_may_leave_everything_out() -> None:
    handler = ChannelHandler()
    messages: list[tuple[Any, Any]] = [
        (handler.on_options, Options()),
        (handler.on_status, Status()),
        (handler.on_have, Have(0)),
        (handler.on_unhave, Unhave(0)),
        (handler.on_want, Want(0)),
        (handler.on_unwant, Unwant(0)),
        (handler.on_request, Request(0)),
        (handler.on_cancel, Cancel(0)),
        (handler.on_data, Data(0)),
        (handler.on_close, None),
        (handler.on_timer, 0.0),
    ]
    for method, message in messages:
        assert method(message) is None
    assert SessionOwner().on_remote_open(bytes(32)) is False
