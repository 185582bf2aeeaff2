"""What was posted where, in a small SQLite file: nothing is said twice.

A post is remembered as begun before it goes, and as made when that is sure. One that was begun and
of which no answer came is sent again only to who knows it again by its key; else it counts as made.
Times are seconds since 1970.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from pkgstats.posting.choosing import Post
from pkgstats.posting.pace import DAY_S
from pkgstats.posting.poster import PostError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE: Final = "posts.db"
"""In a node's folder."""

KEPT_DAYS: Final = 90
"""For so long a package is not posted again; it also bounds the file."""

BUSY_S: Final = 10.0
"""How long another process is waited for that posts too."""

SCHEMA: Final = """
create table if not exists posts (
    place text, key text, begun real, at real, made integer, text text, primary key (place, key)
) without rowid
"""


@dataclass(frozen=True, slots=True)
class Begun:
    """A post that is on its way.

    Attributes:
        post: what it says.
        token: its key for who it is sent to; the same if it is sent again.
    """

    post: Post
    token: str


class Memory:
    """What was posted to one place.

    Args:
        path: of the file; None: in memory, for a dry run where there is none.
        place: as `poster.Poster` has it.
        read_only: change nothing.

    Raises:
        PostError: the file is damaged.
    """

    def __init__(self, path: Path | None, place: str, *, read_only: bool = False) -> None:
        self._path = path
        self._place = place
        with self._damage():
            self._database = _connect(path, read_only=read_only)

    @classmethod
    def peek(cls, path: Path, place: str) -> Self:
        """As it is, without making or changing a file."""
        there = path.exists()
        return cls(path if there else None, place, read_only=there)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def known(self, now: float) -> set[str]:
        """Keys of what was posted, or begun."""
        find = "select key from posts where place = ? and at > ?"
        return {key for (key,) in self._ask(find, now - KEPT_DAYS * DAY_S)}

    def sent(self, now: float) -> list[float]:
        """When the posts of the last 24 hours went."""
        return [
            at
            for (at,) in self._ask("select at from posts where place = ? and at > ?", now - DAY_S)
        ]

    def unsure(self, since: float) -> list[Begun]:
        """Posts that were begun after ``since`` and of which no answer came, the oldest first."""
        find = """select key, text, begun from posts where place = ? and begun > ? and not made
                  order by begun, key"""
        return [
            Begun(Post(key, text), self._token(key, begun))
            for key, text, begun in self._ask(find, since)
        ]

    def begin(self, post: Post, now: float) -> Begun | None:
        """Remember that a post is about to go; None: another process has begun it.

        What is older than `KEPT_DAYS` is forgotten.
        """
        add = "insert into posts values (?, ?, ?, ?, 0, ?) on conflict do nothing"
        with self._damage(), self._database as database:
            database.execute("delete from posts where at <= ?", (now - KEPT_DAYS * DAY_S,))
            made = database.execute(add, (self._place, post.key, now, now, post.text))
        return Begun(post, self._token(post.key, now)) if made.rowcount else None

    def made(self, key: str, now: float) -> None:
        """It was posted, or never will be."""
        change = "update posts set made = 1, at = ?, text = '' where place = ? and key = ?"
        with self._damage(), self._database as database:
            database.execute(change, (now, self._place, key))

    def withdraw(self, key: str) -> None:
        """It was not posted."""
        with self._damage(), self._database as database:
            database.execute("delete from posts where place = ? and key = ?", (self._place, key))

    def _ask(self, find: str, since: float) -> list[tuple[Any, ...]]:
        with self._damage(), closing(self._database.execute(find, (self._place, since))) as found:
            return found.fetchall()

    def _token(self, key: str, begun: float) -> str:
        said = f"{self._place}\n{key}\n{begun!r}".encode("utf-8", "replace")
        return hashlib.blake2b(said, digest_size=16).hexdigest()

    @contextmanager
    def _damage(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise PostError(
                f"{self._path}: {error}; without this file everything may be posted again"
            ) from error


def _connect(path: Path | None, *, read_only: bool) -> sqlite3.Connection:
    if path is None:
        database = sqlite3.connect(":memory:")
    else:
        address = f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rwc'}"
        database = sqlite3.connect(address, timeout=BUSY_S, uri=True)
    try:
        database.execute("pragma schema_version" if read_only else SCHEMA)  # is it a database?
    except sqlite3.Error:
        database.close()
        raise
    return database
