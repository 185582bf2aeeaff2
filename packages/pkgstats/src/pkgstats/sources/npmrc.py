"""npm's own configuration, as far as it names registries. Pure.

A file is INI as npm's parser reads it; keys and values may hold ``${NAME}`` of the environment, and
an environment variable ``npm_config_KEY``, in any case, is a setting too.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_BYTES_MAX: Final = 256 << 10
"""Of a file that is read; what follows is left out."""

_VARIABLE: Final = re.compile(r"(?<!\\)(\\*)\$\{([^${}?]+)(\?)?\}")
_PREFIX: Final = "npm_config_"


def read_npmrc(content: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The settings of a file; those under a ``[section]`` mean nothing to npm."""
    found: dict[str, str] = {}
    for line in re.split(r"[\r\n]+", content):
        stripped = line.strip()
        if re.fullmatch(r"\[[^\]]*\]", stripped):
            break
        key, equals, value = stripped.partition("=")
        if not key or stripped[0] in ";#" or not equals:
            continue
        found[expand(unquote(key), environ)] = expand(unquote(value), environ)
    return found


def environment_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings in the environment; an empty one is none."""
    return {
        setting_name(name[len(_PREFIX) :]): value
        for name, value in environ.items()
        if name.lower().startswith(_PREFIX) and value
    }


def setting_name(name: str) -> str:
    """``user-agent`` for ``USER_AGENT``; what begins with ``//`` stays."""
    return name if name.startswith("//") else (name[:1] + name[1:].replace("_", "-")).lower()


def expand(text: str, environ: Mapping[str, str]) -> str:
    r"""Put variables in: unset, ``${NAME}`` stays and ``${NAME?}`` goes; ``\${`` begins none."""

    def put(match: re.Match[str]) -> str:
        escapes, name, optional = match.groups()
        if len(escapes) % 2:
            return match[0][(len(escapes) + 1) // 2 :]
        missing = "" if optional else f"${{{name}}}"
        return escapes[len(escapes) // 2 :] + environ.get(name, missing)

    return _VARIABLE.sub(put, text)


def unquote(text: str) -> str:
    """A value without its quotes, or up to a comment that no backslash precedes."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        inner = text[1:-1] if text[0] == "'" else text
        try:
            return str(json.loads(inner))
        except ValueError:
            return inner
    found = re.match(r"(?:\\.|[^;#\\]|\\$)*", text)
    return re.sub(r"\\([\\;#])", r"\1", found[0] if found else "").strip()
