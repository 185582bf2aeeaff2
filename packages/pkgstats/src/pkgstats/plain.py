"""What the view and search answer, in JSON's own kinds."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from pkgstats.search.query import to_text

if TYPE_CHECKING:
    from pkgstats.search.results import Hit, SearchResult
    from pkgstats.view.reading import View


def plain(value: Any) -> Any:
    """The value as JSON can say it: keys and hashes in hex, records and facts as objects."""
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, dict):
        return {str(plain(key)): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def everything(view: View, name: str) -> dict[str, Any] | None:
    """All that is known of a package, by kind; None: nobody has told anything."""
    facts = view.package(name)
    if facts is None:
        return None
    return {
        "package": facts,
        "versions": view.versions(name),
        "weeks": view.weeks(name),
        "days": view.days(name),
        "dependents": view.dependents(name),
    }


def search_as_json(found: SearchResult, *, explain: bool) -> dict[str, Any]:
    """What a search has found, for programs: the package of that name first.

    Args:
        found: the result.
        explain: add to each package why it stands where it stands.
    """
    return {
        "query": to_text(found.query),
        "total": found.total,
        "more": found.more,
        "exact": None if found.exact is None else found.exact.name,
        "results": [_hit(hit, explain) for hit in found.hits],
        "did_you_mean": found.did_you_mean,
        "readings": plain(found.readings),
        "notes": list(found.notes),
    }


def _hit(hit: Hit, explain: bool) -> dict[str, Any]:
    told: dict[str, Any] = hit._asdict()
    parts = told.pop("parts")
    return told | {"explain": plain(parts)} if explain else told
