"""How others see us: a vote among the nodes that answered last (dht-rpc 4, index.js)."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Final

from hypermultifeed.discovery.addresses import Address

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeVar

    from hypermultifeed.discovery.kbucket import RoutingTable

    T = TypeVar("T")

VOTES_MAX: Final = 10
"""The latest nodes that say where they see us; older ones may remember another network."""

AGREE_MIN: Final = 3
DISAGREE_MAX: Final = 2
"""With more that contradict we are behind a NAT that gives us a port for each of them."""


def public_address(table: RoutingTable) -> Address | None:
    """Our address as the world sees it; with port 0 if only the host is sure; None if nothing is.

    With a port, others can reach us there once a NAT has been opened (holepunching).
    """
    seen = (node.seen_us_as for node in reversed(table))
    votes = list(islice((address for address in seen if address is not None), VOTES_MAX))
    whole = _winner(votes)
    if whole is not None:
        return whole
    host = _winner([address.host for address in votes])
    return None if host is None else Address(host, 0)


def _winner(votes: Sequence[T]) -> T | None:
    """What most say, if enough do and few contradict."""
    ranked: Iterable[tuple[T, int]] = Counter(votes).most_common(1)
    for vote, count in ranked:
        if count >= AGREE_MIN and len(votes) - count <= DISAGREE_MAX:
            return vote
    return None
