"""What a manifest says, field by field, in the forms that npm has had over the years. Pure."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from pkgstats.records.model import SUMMARY, URL, WORD
from pkgstats.sources.fields import ITEMS_SEEN, items, mapping, text, word, words

INSTALL_SCRIPTS: Final = ("preinstall", "install", "postinstall")

DEPTH_MAX: Final = 8
"""Of nested conditions that are looked at."""


def conditions_of(exports: Any) -> frozenset[str]:
    """All keys of ``exports``, however deep: its conditions and its paths."""
    found: set[str] = set()
    level = [exports]
    for _ in range(DEPTH_MAX):
        below: list[Any] = []
        for one in level:
            found.update(list(mapping(one))[:ITEMS_SEEN])
            below += one.values() if isinstance(one, dict) else one if isinstance(one, list) else []
        level = below[:ITEMS_SEEN]
    return frozenset(found)


def module_of(manifest: dict[str, Any]) -> str:
    """``esm``, ``cjs``, or ``dual`` for a package that can be both imported and required."""
    conditions = conditions_of(manifest.get("exports"))
    main = manifest.get("main")
    main = main if isinstance(main, str) else ""
    native = manifest.get("type") == "module"
    esm = (native and not main.endswith(".cjs")) or main.endswith(".mjs")
    esm = esm or "module" in manifest or "import" in conditions
    cjs = "require" in conditions or main.endswith(".cjs")
    by_default = not native and not main.endswith(".mjs")
    cjs = cjs or (by_default and (bool(main) or "import" not in conditions))
    return "dual" if esm and cjs else "esm" if esm else "cjs"


def types_of(manifest: dict[str, Any]) -> str:
    """``own`` if it brings TypeScript's types; a manifest cannot tell of a package of types."""
    if manifest.get("types") or manifest.get("typings"):
        return "own"
    return "own" if "types" in conditions_of(manifest.get("exports")) else "none"


def has_install_script(manifest: dict[str, Any]) -> bool:
    """Whether installing it runs its code."""
    scripts = mapping(manifest.get("scripts"))
    return manifest.get("hasInstallScript") is True or any(
        script in scripts for script in INSTALL_SCRIPTS
    )


def keywords_of(value: Any) -> tuple[str, ...]:
    """Keywords: a list, or in old manifests one text with commas or spaces."""
    if isinstance(value, str):
        listed = text(value, 4096)
        value = listed.split(",") if "," in listed else listed.split()
    return words((one.strip() for one in items(value) if isinstance(one, str)), 256, 256)


def licence_of(manifest: dict[str, Any]) -> str:
    """The licence: a text, or in old manifests objects with a type."""
    said = manifest.get("license") or manifest.get("licenses")
    listed = said if isinstance(said, list) else [said]
    named = [one if isinstance(one, str) else mapping(one).get("type") for one in listed[:16]]
    return text(" OR ".join(one for one in named if isinstance(one, str)), WORD.bytes_max)


def url_of(value: Any) -> str:
    """An address: a text, or an object with one."""
    said = value if isinstance(value, str) else mapping(value).get("url")
    return word(said, URL.bytes_max)


def binaries_of(name: str, value: Any) -> tuple[str, ...]:
    """Names of the programs: of an object, or the package's own for a single one."""
    named = [name.rpartition("/")[2]] if isinstance(value, str) else list(mapping(value))
    return tuple(sorted(words(named, 214, 512)))


def integrity_of(dist: dict[str, Any]) -> str:
    """The tarball's hash; of old versions the SHA-1, in the same form."""
    found = word(dist.get("integrity"), 512)
    shasum = word(dist.get("shasum"), 40)
    if found or len(shasum) != 40:
        return found
    try:
        return f"sha1-{base64.b64encode(binascii.unhexlify(shasum)).decode()}"
    except (binascii.Error, ValueError):
        return ""


def provenance_of(dist: dict[str, Any]) -> str:
    """The kind of provenance that a version was published with; empty for none."""
    provenance = mapping(mapping(dist.get("attestations")).get("provenance"))
    return word(provenance.get("predicateType"), 256)


def deprecation_of(manifest: dict[str, Any]) -> str:
    """Why not to use a version; empty for none."""
    said = manifest.get("deprecated")
    return "deprecated" if said is True else text(said, SUMMARY.bytes_max)
