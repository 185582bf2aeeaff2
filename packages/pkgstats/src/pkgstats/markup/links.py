"""Where the links and images of a readme lead to. Pure.

Relative ones lead into the repository that the package names. npm's forms of it are those of
package.json's ``repository`` (docs.npmjs.com, "package.json"): ``git+https://host/owner/name.git``,
``git@host:owner/name.git``, ``github:owner/name``, ``owner/name``, and pages such as
``https://host/owner/name/tree/main/folder``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

LINK_CHARACTERS_MAX: Final = 2048
"""Longer links are dropped; browsers and servers refuse them anyway."""

REPOSITORY_CHARACTERS_MAX: Final = 512
"""Of what a package says about its repository."""


class Host(NamedTuple):
    """How a host calls its files on the default branch: their pages, and their raw content."""

    view: str
    raw: str
    folder: str


HOSTS: Final = {
    "github.com": Host("blob/HEAD", "raw/HEAD", "tree/"),
    "gitlab.com": Host("-/blob/HEAD", "-/raw/HEAD", "-/tree/"),
    "bitbucket.org": Host("src/HEAD", "raw/HEAD", "src/"),
    "codeberg.org": Host("src/branch/HEAD", "raw/branch/HEAD", "src/branch/"),
}
"""Hosts whose rule is known."""

SHORT: Final = {"github": "github.com", "gitlab": "gitlab.com", "bitbucket": "bitbucket.org"}
"""npm's short names of hosts."""

_REMOTE: Final = re.compile(
    r"(?P<scheme>(?:git\+)?(?:https?|ssh|git)://)?(?:[^/@\s]*@)?(?:www\.)?"
    r"(?P<host>[\w.-]+)(?::\d+(?=/))?(?P<mark>[:/])/*(?P<path>[^\s?#]+)(?:[?#].*)?",
    re.ASCII | re.IGNORECASE,
)
_SEGMENT: Final = re.compile(r"(?!\.{1,2}$)[\w.~+-]+", re.ASCII)
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_WEB: Final = re.compile(r"https?://[\w.-]+(?::\d{1,5})?(?=[/?#]|$)", re.IGNORECASE)
_PAGE_OF_IMAGE: Final = re.compile(r"(https://github\.com/[^/?#]+/[^/?#]+)/blob/", re.IGNORECASE)
_EDGES: Final = "".join(map(chr, range(0x21)))
_LINE_BREAKS: Final = re.compile(r"[\t\n\r]")
_KEPT: Final = "%/:?#[]@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True)
class Base:
    """What a readme's relative links are relative to.

    Attributes:
        repository: as the package names it; empty if it names none.
        directory: the package's folder in it (npm's ``repository.directory``).
    """

    repository: str = ""
    directory: str = ""


class Repository(NamedTuple):
    """A repository on a known host: ``github.com``, ``owner/name``, a folder or nothing."""

    host: str
    path: str
    directory: str

    @property
    def address(self) -> str:
        """Its page."""
        return f"https://{self.host}/{self.path}"


def repository_of(base: Base) -> Repository | None:
    """The repository of a package; None if its host is not known."""
    said = base.repository.strip()
    found = _REMOTE.fullmatch(said) if len(said) <= REPOSITORY_CHARACTERS_MAX else None
    if found is None:
        return None
    host, path = found["host"].lower(), found["path"]
    if host not in HOSTS and not found["scheme"] and found["mark"] == "/" and "/" not in path:
        host, path = "github.com", f"{found['host']}/{path}"  # npm's owner/name
    host = SHORT.get(host, host)
    return _on_host(host, path, base.directory) if host in HOSTS else None


def _on_host(host: str, path: str, directory: str) -> Repository | None:
    """Divide a path into the repository's and a folder's, if the address is a folder's."""
    path, _, inside = path.partition(f"/{HOSTS[host].folder}")
    segments = [one for one in path.split("/") if one]
    if host != "gitlab.com":  # the only one with groups in groups
        segments = segments[:2]
    if len(segments) < 2 or not all(_SEGMENT.fullmatch(one) for one in segments):
        return None
    segments[-1] = segments[-1].removesuffix(".git")
    folder = directory or inside.partition("/")[2]
    return Repository(host, "/".join(segments), folder) if segments[-1] else None


def link(base: Base, said: str) -> str | None:
    """The whole address of a link; None if it leads nowhere that is allowed.

    Only ``http``, ``https`` and ``mailto`` are. What begins with ``#`` is not for this function.
    """
    said = _tidy(said)
    if said.lower().startswith("mailto:") and len(said) > len("mailto:"):
        return _bounded("mailto:" + quote(said[len("mailto:") :], safe=_KEPT))
    return _web(said) if _is_whole(said) else _relative(base, said, raw=False)


def image(base: Base, said: str) -> str | None:
    """The whole address of an image; None as for `link`."""
    said = _tidy(said)
    found = _web(said) if _is_whole(said) else _relative(base, said, raw=True)
    return _PAGE_OF_IMAGE.sub(r"\1/raw/", found, count=1) if found else None


def host_of(address: str) -> str:
    """``example.org`` of a whole address, ``me@example.org`` of one of mail."""
    return re.split(r"[/?#]", address.partition(":")[2].lstrip("/"), maxsplit=1)[0]


def _tidy(said: str) -> str:
    """As a browser reads it (WHATWG URL, 4.4): no spaces around it, no line breaks within."""
    said = _LINE_BREAKS.sub("", said[: 2 * LINK_CHARACTERS_MAX].strip(_EDGES))
    return f"https:{said}" if said.startswith("//") else said


def _is_whole(said: str) -> bool:
    return _SCHEME.match(said) is not None


def _web(said: str) -> str | None:
    """Names, port, path; no user name, which is there to deceive."""
    return _bounded(quote(said, safe=_KEPT)) if _WEB.match(said) else None


def _relative(base: Base, said: str, *, raw: bool) -> str | None:
    repository = repository_of(base)
    path, _, fragment = said.partition("#")
    path = path.partition("?")[0].replace("\\", "/")
    if repository is None or not path:
        return None
    below = "" if path.startswith("/") else repository.directory
    segments = _normal(f"{below}/{unquote(path)}")
    if segments is None or (raw and not segments):
        return None
    host = HOSTS[repository.host]
    found = repository.address
    if segments:
        found = f"{found}/{host.raw if raw else host.view}/{quote('/'.join(segments), safe='/@~+')}"
    return _bounded(f"{found}#{quote(fragment, safe=_KEPT)}" if fragment and not raw else found)


def _normal(path: str) -> list[str] | None:
    """A path without ``.`` and ``..``; None if it leads out of the repository."""
    segments: list[str] = []
    for one in path.split("/"):
        if one == "..":
            if not segments:
                return None
            segments.pop()
        elif one not in {"", "."}:
            segments.append(one)
    return segments


def _bounded(address: str) -> str | None:
    return address if len(address) <= LINK_CHARACTERS_MAX else None
