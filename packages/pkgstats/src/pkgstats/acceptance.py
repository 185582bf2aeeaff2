"""Whose feeds a node lets in when peers offer them, as the group's list and the cards name them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pkgstats import trust
from pkgstats.records.model import CORES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from hypermultifeed import Peer
    from pkgstats.trust import Authority
    from pkgstats.view.reading import View


class Acceptance:
    """Which feeds of each kind are let in: those that count or may do so again, and no others."""

    def __init__(self, group: bytes) -> None:
        """Let in the feed with the group's lists, by which all others are found."""
        self._group = group
        self._allowed: dict[str, frozenset[bytes]] = {kind: frozenset() for kind in CORES}
        self._allowed[trust.META] = frozenset([group])

    def judge(self, view: View, own: Collection[bytes]) -> list[str]:
        """Let in whom the list and the cards name now; returns the kinds with new feeds.

        Who is set aside is let in too: only from what it says can be seen that it does better.

        Args:
            view: in which the group's list, the cards and the checks of writers are.
            own: keys of my writers' ``meta`` feeds.
        """
        writers = view.writers()
        cards = {one.key: one.card for one in writers if one.card}
        aside = {one.key for one in writers if trust.is_set_aside(one.checked, one.wrong)}
        named = partial(trust.authorities, self._group, view.group_list(), cards, own=own)
        return self.update(named(aside=aside), named())

    def update(self, *views: Mapping[bytes, Authority]) -> list[str]:
        """Let in the feeds of these, see `trust.authorities`; returns the kinds with new ones.

        Several may differ about a feed that two writers claim, each for another kind.
        """
        named = [(key, one.kind) for authorities in views for key, one in authorities.items()]
        grown = []
        for kind in CORES:
            allowed = frozenset(key for key, of in named if of == kind)
            if allowed - self._allowed[kind]:
                grown.append(kind)
            self._allowed[kind] = allowed
        return grown

    def policy(self, kind: str) -> Callable[[bytes, Peer, Mapping[str, Any]], bool]:
        """What a multifeed of that kind asks about each feed that a peer offers."""

        def accept(key: bytes, _peer: Peer, _hints: Mapping[str, Any]) -> bool:
            return key in self._allowed[kind]

        return accept
