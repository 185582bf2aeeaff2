"""Which packages of a digest are posted next. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from pkgstats.posting.wording import worded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pkgstats.digest import Digest, Entry


@dataclass(frozen=True, slots=True)
class Post:
    """What is to be said.

    Attributes:
        key: ``part:package``, as what it is posted.
        text: of the post.
    """

    key: str
    text: str


def choose(
    digest: Digest, posted: Collection[str], link_to: str = "", *, social: bool = False
) -> list[Post]:
    """The posts of a digest, the parts in turns, each package once.

    Args:
        digest: what there is.
        posted: keys of the posts that were made; their packages have had their turn, as whatever.
        link_to, social: as `wording.worded` takes them.
    """
    before = {key.partition(":")[2] for key in posted}
    chosen: dict[str, Post] = {}
    for part, one in _in_turns(digest):
        if one.name not in before and one.name not in chosen:
            text = worded(part, one, link_to, social=social)
            chosen[one.name] = Post(f"{part}:{one.name}", text)
    return list(chosen.values())


def _in_turns(digest: Digest) -> Iterator[tuple[str, Entry]]:
    for row in zip_longest(*digest.parts.values()):
        yield from ((part, one) for part, one in zip(digest.parts, row, strict=True) if one)
