"""Reaching nodes behind a NAT with the help of a node that both know (dht-rpc 4).

Who cannot reach B asks the relay R that told of B; R tells B who asks; B answers the asker, and
that datagram opens B's NAT. R needs to remember nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypermultifeed.discovery.candidates import may_name
from hypermultifeed.discovery.messages import Message, MessageType
from hypermultifeed.discovery.requests import HOLEPUNCH
from hypermultifeed.discovery.values import Holepunch
from hypermultifeed.errors import DiscoveryError

if TYPE_CHECKING:
    from hypermultifeed.discovery.addresses import Address


def read(message: Message) -> Holepunch | None:
    """What a holepunch message wants; None for the empty one, which has only to open a NAT."""
    try:
        return None if message.value is None else Holepunch.decode(message.value)
    except DiscoveryError:
        return None


def relayed(message: Message, sender: Address, to: Address, own_id: bytes | None) -> Message | None:
    """What the relay sends on, or None if it would not reach anybody but the sender itself."""
    if to == sender or not may_name(sender, to):
        return None
    return Message(
        type=MessageType.QUERY,
        rid=message.rid,
        to=to,
        id=own_id,
        command=HOLEPUNCH,
        error="",  # JavaScript writes it, for no reason
        value=Holepunch(from_=sender).encode(),
    )


def asker(punch: Holepunch, sender: Address) -> Address | None:
    """To whom the answer goes: whoever the relay names, or who asked without a relay."""
    if punch.from_ is None:
        return sender
    return punch.from_ if may_name(sender, punch.from_) else None
