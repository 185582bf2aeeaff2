"""Where the registry is: nobody is asked who was not named by the user or by npm's configuration.

The registry's address comes from, first to last: what the caller says (``--registry``),
``PKGSTATS_REGISTRY``, ``npm_config_registry``, the ``.npmrc`` of the project, of the user, of the
machine, and at last ``npm config get registry``. The downloads' address comes from the caller,
``PKGSTATS_DOWNLOADS``, or is the registry's with its label ``registry.`` made ``api.``; that of the
changes from the caller, ``PKGSTATS_CHANGES``, or is the same with ``replicate.``, and the path
``/registry``, below which npm has had ``_changes`` and ``_all_docs`` since May 2025.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from pkgstats.records.names import scope_of
from pkgstats.sources.errors import AddressError
from pkgstats.sources.npmrc import FILE_BYTES_MAX, environment_settings, read_npmrc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

REGISTRY_SETTING: Final = "PKGSTATS_REGISTRY"
DOWNLOADS_SETTING: Final = "PKGSTATS_DOWNLOADS"
CHANGES_SETTING: Final = "PKGSTATS_CHANGES"

NPM_SECONDS_MAX: Final = 15.0
"""How long npm may take to say what it knows."""

ADDRESS_BYTES_MAX: Final = 2048

NO_REGISTRY: Final = (
    "no registry is known: give --registry ADDRESS, or set PKGSTATS_REGISTRY, or write"
    " registry=ADDRESS into .npmrc"
)
NO_DOWNLOADS: Final = (
    "the address of the download counts is not known, and cannot be derived from the registry's:"
    " set PKGSTATS_DOWNLOADS"
)
NO_CHANGES: Final = (
    "the address of the registry's changes is not known, and cannot be derived from the registry's:"
    " set PKGSTATS_CHANGES to the address below which _changes and _all_docs are"
)

CHANGES_PATH: Final = "/registry"
"""Of a database in the replication protocol, on a host of its own."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Who is asked; no address ends with a slash.

    Attributes:
        registry: of packages without a scope, and of scopes without a registry of their own.
        downloads, changes: None if not known.
        scopes: registries of single scopes, by scope without its ``@``.
        origin: where the registry's address was found, for people.
    """

    registry: str
    downloads: str | None = None
    changes: str | None = None
    scopes: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""

    def registry_of(self, name: str) -> str:
        """The registry of a package."""
        return self.scopes.get(scope_of(name) or "", self.registry)

    def is_private(self, name: str) -> bool:
        """Whether its scope has a registry of its own: then it is nobody else's business."""
        return self.registry_of(name) != self.registry

    def shared(self, names: Iterable[str]) -> list[str]:
        """Those of the names that are not private."""
        return [name for name in names if not self.is_private(name)]

    def need_downloads(self) -> str:
        """The downloads' address.

        Raises:
            AddressError: it is not known.
        """
        if self.downloads is None:
            raise AddressError(NO_DOWNLOADS)
        return self.downloads

    def need_changes(self) -> str:
        """The address of the changes.

        Raises:
            AddressError: it is not known.
        """
        if self.changes is None:
            raise AddressError(NO_CHANGES)
        return self.changes


def find_addresses(
    registry: str | None = None,
    downloads: str | None = None,
    changes: str | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    folder: Path | None = None,
    ask_npm: Callable[[], str | None] | None = None,
) -> Addresses:
    """Find the addresses.

    Args:
        registry, downloads, changes: what the user says; it comes first.
        environ: the environment.
        folder: where the project's ``.npmrc`` is looked for, upwards; else the working folder.
        ask_npm: what npm says; by default its program is run, and only if nothing else is found.

    Raises:
        AddressError: no registry is found, or what is found is no address.
    """
    layers = list(npm_layers(environ, folder or Path.cwd()))
    found = _first(
        (registry, "--registry"),
        (environ.get(REGISTRY_SETTING), REGISTRY_SETTING),
        *((settings.get("registry"), origin) for origin, settings in layers),
    ) or _first(((ask_npm or npm_says)(), "npm config get registry"))
    if found is None:
        raise AddressError(NO_REGISTRY)
    address, origin = found
    counts = downloads or environ.get(DOWNLOADS_SETTING) or swap_label(address, "api")
    replica = swap_label(address, "replicate")
    feed = changes or environ.get(CHANGES_SETTING) or (replica and replica + CHANGES_PATH)
    return Addresses(
        registry=address,
        downloads=checked(counts, DOWNLOADS_SETTING) if counts else None,
        changes=checked(feed, CHANGES_SETTING) if feed else None,
        scopes=scope_registries(layers),
        origin=origin,
    )


def _first(*candidates: tuple[str | None, str]) -> tuple[str, str] | None:
    """The first address that is set, checked, and where it was."""
    for value, origin in candidates:
        if value:
            return checked(value, origin), origin
    return None


def npm_layers(environ: Mapping[str, str], folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """npm's settings, those that count first."""
    own = environment_settings(environ)
    yield "npm_config_registry", own
    user_file = Path(own.get("userconfig") or user_home(environ) / ".npmrc")
    project_file = project_folder(folder) / ".npmrc"
    if project_file != user_file:
        yield str(project_file), read_file(project_file, environ)
    user = read_file(user_file, environ)
    yield str(user_file), user
    named = own.get("globalconfig") or user.get("globalconfig")
    prefix = own.get("prefix") or user.get("prefix") or global_prefix(environ)
    if named or prefix:
        global_file = Path(named) if named else Path(prefix) / "etc" / "npmrc"
        yield str(global_file), read_file(global_file, environ)


def user_home(environ: Mapping[str, str]) -> Path:
    """The user's folder."""
    return Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())


def project_folder(folder: Path) -> Path:
    """The nearest folder, upwards, with a package.json or node_modules; else this one."""
    for one in (folder, *folder.parents):
        if (one / "package.json").is_file() or (one / "node_modules").is_dir():
            return one
    return folder


def global_prefix(environ: Mapping[str, str]) -> str:
    """Where npm installs for the whole machine: beside node; empty if there is no node."""
    if environ.get("PREFIX"):
        return environ["PREFIX"]
    node = shutil.which("node", path=environ.get("PATH", ""))
    if node is None:
        return ""
    place = Path(node).resolve().parent
    return str(place if os.name == "nt" else place.parent)


def read_file(file: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Its settings; none if it cannot be read."""
    try:
        with file.open("rb") as source:
            content = source.read(FILE_BYTES_MAX)
    except OSError:
        return {}
    return read_npmrc(content.decode(errors="replace"), environ)


def scope_registries(layers: list[tuple[str, dict[str, str]]]) -> dict[str, str]:
    """Registries of single scopes (``@scope:registry=``), by scope without its ``@``.

    Raises:
        AddressError: one of them is no address.
    """
    found: dict[str, str] = {}
    for origin, settings in reversed(layers):
        for key, value in settings.items():
            if key.startswith("@") and key.endswith(":registry"):
                found[key[1 : -len(":registry")]] = checked(value, origin)
    return found


def npm_says() -> str | None:
    """What ``npm config get registry`` prints; None if there is no npm, or nothing comes of it."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            [npm, "config", "get", "registry"],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=NPM_SECONDS_MAX,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = done.stdout.decode(errors="replace").strip()
    return said if done.returncode == 0 and said.startswith("http") else None


def checked(address: str, origin: str) -> str:
    """An address of http or https, without its last slash.

    Raises:
        AddressError: it is none, or holds a password, a query or a fragment.
    """
    try:
        parts = urlsplit(address.strip())
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    plain = address.isascii() and address.strip().isprintable() and " " not in address.strip()
    if not usable or not plain or len(address) > ADDRESS_BYTES_MAX:
        raise AddressError(f"{origin} is no address of http or https")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise AddressError(f"{origin} must be an address without password, query and fragment")
    return address.strip().rstrip("/")


def swap_label(address: str, label: str) -> str | None:
    """The address with ``label.`` for its host's ``registry.``; None if it has none."""
    parts = urlsplit(address)
    first, _, rest = parts.netloc.partition(".")
    if first.lower() != "registry" or not rest:
        return None
    return urlunsplit((parts.scheme, f"{label}.{rest}", "", "", ""))
