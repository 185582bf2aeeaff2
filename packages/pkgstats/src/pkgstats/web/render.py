"""HTML of the templates: Jinja2 with escaping on, and the few words that all of them use."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from pkgstats.web import addresses, assets, refining
from pkgstats.web.bounds import SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping, Sequence

    from jinja2.nodes import Template

    from pkgstats.search.results import Part

SITE: Final = "Pkg Stats"

COMPACT: Final = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))

DAY_MS: Final = 86_400_000

_JSON: Final = json.JSONEncoder(ensure_ascii=False)

BUTTONS_KEPT: Final = 64
"""Choices of filters and orders whose buttons are remembered."""

_SIGN: Final = re.compile("[&<>'\"]")

LINKS_KEPT: Final = 4096
"""Links to keywords and licences that are remembered: a page has a hundred, most of them usual."""


def render(template: str, **values: Any) -> str:
    """One page."""
    return _environment().get_template(template).render(**values)


class _Environment(Environment):
    """Jinja2's, without two things that took as long as all the rest of a page.

    No template has globals of its own: all have the same dict, not views of it. And what goes into
    a page is escaped by `escaped`.
    """

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        assert not d
        return self.globals

    def _generate(
        self, source: Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        made = super()._generate(source, name, filename, defer_init)
        return f"{made}\nfrom {__name__} import escaped as escape\n"


def escaped(value: object) -> str:
    """As `markupsafe.escape`, but text in which nothing has to be escaped is left as it is.

    It is about to be joined to a page; a `Markup` of it would be made for nothing.
    """
    return value if type(value) is str and not _SIGN.search(value) else escape(value)


@cache
def _environment() -> Environment:
    environment = _Environment(
        loader=PackageLoader("pkgstats.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    filters: tuple[Callable[..., Any], ...] = (
        number,
        compact,
        date,
        day,
        moment,
        size,
        percent,
        points,
        parts,
        score,
        counted,
        short,
        structured,
    )
    environment.filters |= {one.__name__: one for one in filters}
    environment.globals |= {
        "to": addresses,
        "asset": assets.path_of,
        "site": SITE,
        "all_with": all_with,
        "refining": buttons,
        "usual_size": SIZE,
    }
    return environment


@lru_cache(LINKS_KEPT)
def all_with(field: str, value: str) -> str:
    """The search for all packages that have this value: a keyword, a licence."""
    return addresses.search(refining.filtered(field, value))


class Buttons(NamedTuple):
    """What is beside results: for their order, and to have fewer of them."""

    orders: Markup
    filters: Markup


@lru_cache(BUTTONS_KEPT)
def buttons(terms: frozenset[str]) -> Buttons:
    """The same for all queries that have the same terms, which most of them have.

    Args:
        terms: see `pkgstats.web.refining.terms_of`.
    """
    made: Any = _environment().get_template("refining.html").module
    return Buttons(made.orders(refining.SORTS, terms), made.filters(refining.FILTERS, terms))


def number(value: float | None) -> str:
    """``1,234``; a dash where nothing is known."""
    return "–" if value is None else f"{value:,}"  # noqa: RUF001 - a dash, not a minus


def compact(value: int | None) -> str:
    """``1.2M``; a dash where nothing is known."""
    for unit, letter in COMPACT if value is not None else ():
        if value is not None and value >= unit:
            return f"{value / unit:.{1 if value < 100 * unit else 0}f}{letter}"
    return number(value)


def date(ms: int | None) -> str:
    """``2026-11-01`` of a time in ms since 1970; a dash where nothing is known."""
    return datetime.fromtimestamp(ms / 1000, UTC).date().isoformat() if ms else number(None)


def day(number_of_day: int) -> str:
    """``2026-11-01`` of days since 1970."""
    return date(number_of_day * DAY_MS) if number_of_day else "1970-01-01"


def moment(ms: int) -> str:
    """``2026-11-01T12:00:00Z`` of a time in ms (RFC 3339)."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def size(value: int | None) -> str:
    """``12.3 kB``."""
    if value is None:
        return number(None)
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if value >= unit:
            return f"{value / unit:.1f} {name}"
    return f"{value} B"


def percent(ratio: float | None) -> str:
    """``+12.5 %`` of a ratio to before; a dash where nothing is known."""
    return number(None) if ratio is None else f"{round((ratio - 1) * 100, 1) + 0:+,.1f} %"


def score(value: float) -> str:
    """``1.25``."""
    return f"{value:.2f}"


def points(value: float) -> str:
    """``+0.25``: what is added to a score, or taken from it."""
    return f"{value:+.2f}"


def parts(some: Sequence[Part]) -> Markup:
    """List items of what a result's score is the sum of. Not a template's work, as a page has a
    hundred of these, all with the same few meanings."""
    items = (f"<li><b>{points(one.points)}</b> {_meaning(one.meaning)}</li>" for one in some)
    return Markup("".join(items))  # noqa: S704 - a number, and what was escaped


@cache
def _meaning(text: str) -> Markup:
    return escape(text)


def counted(value: int, one: str, many: str = "") -> str:
    """``1 package``, ``2 packages``."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def short(key: bytes | None) -> str:
    """The first eight digits of a key."""
    return "" if key is None else key.hex()[:8]


def structured(value: Any) -> Markup:
    """JSON that can stand in a script element: nothing in it ends that."""
    text = _JSON.encode(value)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 - nothing in it can end the element
