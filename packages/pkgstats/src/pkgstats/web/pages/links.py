"""Where a package can be found elsewhere. Pure. Nothing is asked of these places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pkgstats.markup.links import Base, repository_of
from pkgstats.syndication import web_address

if TYPE_CHECKING:
    from pkgstats.view.facts import PackageFacts

NPM: Final = "https://www.npmjs.com/package/"
"""Of npm's own pages for people; its registry is another host, and a matter of settings."""


@dataclass(frozen=True, slots=True)
class Links:
    """Web addresses; empty where nothing was told, or nothing that a link may lead to.

    Attributes:
        npm: npm's page.
        types: the package that has its types, if that is another one; a name.
    """

    npm: str
    repository: str
    homepage: str
    types: str


def links_of(facts: PackageFacts) -> Links:
    """The links of a package."""
    npm = NPM + quote(facts.name, safe="@/")
    told = facts.snapshot
    if told is None:
        return Links(npm, "", "", "")
    known = repository_of(Base(told.repository))
    return Links(
        npm=npm,
        repository=known.address if known else web_address(_bare(told.repository)),
        homepage=web_address(told.homepage),
        types=types_of(facts.name) if told.types == "@types" else "",
    )


def types_of(name: str) -> str:
    """``@types/a`` for ``a``, ``@types/b__a`` for ``@b/a``: DefinitelyTyped's rule."""
    scope, mark, rest = name.removeprefix("@").partition("/")
    return f"@types/{scope}__{rest}" if mark else f"@types/{name}"


def _bare(repository: str) -> str:
    """``https://host/path`` of ``git+https://host/path.git``."""
    return repository.removeprefix("git+").removesuffix(".git")
