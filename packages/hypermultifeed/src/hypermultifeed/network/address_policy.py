"""With which addresses a swarm has to do at all, whoever named them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hypermultifeed.discovery.addresses import may_dial
from hypermultifeed.network.listening import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hypermultifeed.discovery.addresses import Address

_log = logging.getLogger("hypermultifeed.swarm")


class AddressPolicy:
    """The rules for loopback, for what strangers name, and the user's own.

    Args:
        allow_loopback: whether this machine's own peers are peers.
        address_filter: the user's rule: gets host and port, False leaves the peer alone. If it
            raises, that is logged and the peer is left alone.

    Attributes:
        own: addresses that lead to ourselves.
        public: another one, as others see it, once that is known.
    """

    def __init__(
        self, *, allow_loopback: bool, address_filter: Callable[[str, int], bool] | None
    ) -> None:
        self.own: set[tuple[str, int]] = set()
        self.public: tuple[str, int] | None = None
        self._allow_loopback = allow_loopback
        self._filter = address_filter

    def listens(self, addresses: Iterable[tuple[str, int] | None]) -> None:
        """Note where we listen; a listener can be reached from this machine, too."""
        for address in addresses:
            if address is not None:
                self.own |= {address, ("127.0.0.1", address[1])}

    def allows_dial(self, address: Address, *, local: bool) -> bool:
        """Whether an address that others named may be dialled.

        Args:
            address: host and port.
            local: it was named as a neighbour.
        """
        return (
            may_dial(address.host, local=local, allow_loopback=self._allow_loopback)
            and address not in self.own
            and address != self.public
            and self.allows(*address)
        )

    def allows_in(self, host: str, port: int) -> bool:
        """Whether somebody who dialled from there is let in."""
        return (self._allow_loopback or not is_loopback(host)) and self.allows(host, port)

    def allows(self, host: str, port: int) -> bool:
        """What the user's rule says."""
        if self._filter is None:
            return True
        try:
            return bool(self._filter(host, port))
        except Exception:
            _log.exception("the address filter failed; %s:%d is left alone", host, port)
            return False
