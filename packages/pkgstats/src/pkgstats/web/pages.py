"""The pages: plain HTML that needs no script. Pure; all text of others is escaped here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode, urlsplit

from pkgstats.records.names import NAME_BYTES_MAX, is_package_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pkgstats.search.query import QueryError
    from pkgstats.search.results import Hit, SearchResult
    from pkgstats.view.facts import ListingRow, PackageFacts, VersionFacts

VERSIONS_SHOWN: Final = 30
DEPENDENCIES_SHOWN: Final = 200

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def page(title: str, main: str, *, query: str = "") -> str:
    """A whole page: the search form, then what it is about."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{escape(title)}</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<form role="search" action="/search">
<label for="q">Search npm packages</label>
<input id="q" name="q" type="search" value="{escape(query)}" maxlength="1000" autocomplete="off">
<button>Search</button>
</form>
</header>
<main id="main">
{main}
</main>
<footer>Answered by this machine from its own copy of the facts: what you look for stays here.
<a href="/">Pkg Stats</a></footer>
</body>
</html>
"""


def home(packages: int, writers: int) -> str:
    """The first page."""
    return page(
        "Pkg Stats",
        f"""<h1>Pkg Stats</h1>
<p>{packages:,} npm packages, told by {writers:,} writer{"" if writers == 1 else "s"}.</p>
<h2>How to ask</h2>
<dl>
<dt><code>react table</code></dt><dd>words of the name, the summary or the keywords</dd>
<dt><code>"rate limiting"</code></dt><dd>words side by side; <code>-word</code>: without it</dd>
<dt><code>pkg:left-pad</code></dt><dd>one package</dd>
<dt><code>@types</code></dt><dd>a scope, and a user of that name</dd>
<dt><code>license:mit dep:react</code></dt><dd>also <code>scope:</code>, <code>maintainer:</code>,
<code>keywords:</code>, <code>is:deprecated</code>, <code>not:types</code></dd>
<dt><code>downloads:&gt;1e6</code></dt><dd>a month; <code>updated:&lt;90d</code></dd>
<dt><code>sort:downloads</code></dt><dd>also <code>name</code>, <code>updated</code></dd>
</dl>""",
    )


def results(text: str, found: SearchResult, *, number: int, size: int) -> str:
    """What a search has found."""
    parts = [f"<h1>{_count(found)}</h1>"]
    parts += [f'<p class="soft">{escape(note)}</p>' for note in found.notes]
    if found.did_you_mean:
        link = _search_link(found.did_you_mean, found.did_you_mean)
        parts.append(f"<p>Did you mean {link}?</p>")
    others = [one for one in found.readings if one.query != text and one.packages]
    for reading in others:
        link = _search_link(reading.query, f"{reading.packages:,} as {reading.meaning}")
        parts.append(f'<p class="soft">{link}</p>')
    if found.exact is not None:
        parts.append(f"<h2>The package of that name</h2><ul>{_hit(found.exact)}</ul>")
        parts.append("<h2>Others, best first</h2>" if found.results else "")
    first = (number - 1) * size + 1
    parts.append(f'<ol start="{first}">{"".join(map(_hit, found.results))}</ol>')
    parts.append(_pages(text, found, number, size))
    return page(f"{text} - Pkg Stats", "\n".join(parts), query=text)


def wrong_query(text: str, error: QueryError) -> str:
    """A query that cannot be answered, with the place where the trouble lies."""
    offset, end = error.offset, error.offset + max(1, error.length)
    marked = f"{escape(text[:offset])}<mark>{escape(text[offset:end])}</mark>{escape(text[end:])}"
    advice = ""
    if error.suggestion:
        better = text[:offset] + error.suggestion + text[offset + error.length :]
        advice = f"<p>Did you mean {_search_link(better, better)}?</p>"
    return page(
        "Not understood - Pkg Stats",
        f'<div class="error" role="alert"><h1>{escape(str(error))}</h1><pre>{marked}</pre></div>'
        + advice,
        query=text,
    )


def sentence(title: str, text: str, *, query: str = "") -> str:
    """A page that says one thing."""
    return page(
        f"{title} - Pkg Stats", f"<h1>{escape(title)}</h1><p>{escape(text)}</p>", query=query
    )


def not_known(name: str, similar: Sequence[str]) -> str:
    """Nobody has told of a package."""
    names = ", ".join(map(_package_link, similar))
    advice = f"<p>Did you mean {names}?</p>" if similar else ""
    return page(
        "Not known - Pkg Stats",
        f"<h1>Not known</h1><p>Nobody has told of a package {escape(name[:NAME_BYTES_MAX])}.</p>"
        + advice,
        query=name[:NAME_BYTES_MAX],
    )


def package(
    facts: PackageFacts, versions: Sequence[VersionFacts], dependents: Sequence[ListingRow]
) -> str:
    """All that is known of a package."""
    parts = [
        f"<h1>{escape(facts.name)} <small>{escape(facts.version)}</small></h1>",
        f"<p>{escape(facts.summary)}</p>",
    ]
    if facts.state != "here":
        parts.append(f'<p class="error">This package is said to be gone ({facts.state}).</p>')
    lines = "".join(f"<dt>{title}</dt><dd>{value}</dd>" for title, value in _lines(facts) if value)
    parts.append(f"<dl>{lines}</dl>")
    parts += _versions(versions)
    if dependents:
        names = ", ".join(_package_link(row.name) for row in dependents)
        parts.append(f"<h2>Used by</h2><p>{names}</p>")
    parts.append(f'<p class="soft">Seen on {_day(facts.observed_at)}.</p>')
    return page(f"{facts.name} - Pkg Stats", "\n".join(parts))


def _lines(facts: PackageFacts) -> Iterator[tuple[str, str]]:
    """What stands beside a name: titles, and values as HTML."""
    if facts.downloads is not None:
        yield "downloads a month", f"{facts.downloads:,}"
    told = facts.snapshot
    if told is None:
        return
    yield "deprecated", escape(told.deprecated)
    yield "licence", escape(told.licence)
    yield "maintainers", _searches("maintainer:", told.maintainers)
    yield "keywords", _searches("keywords:", told.keywords)
    yield "repository", _address(told.repository)
    yield "homepage", _address(told.homepage)
    yield "types", "" if told.types == "none" else escape(told.types)
    names = list(told.dependencies or ())[:DEPENDENCIES_SHOWN]
    yield "depends on", ", ".join(map(_package_link, names))
    yield "modified", _day(told.modified) if told.modified else ""


def _versions(versions: Sequence[VersionFacts]) -> Iterator[str]:
    if not versions:
        return
    rows = "".join(
        f"<tr><th scope=row>{escape(one.version)}</th>"
        f"<td>{_day(one.published) if one.published else ''}</td>"
        f"<td>{escape(one.deprecated)}</td></tr>"
        for one in reversed(versions[-VERSIONS_SHOWN:])
    )
    head = "<tr><th scope=col>version<th scope=col>published<th scope=col>deprecated</tr>"
    yield f'<h2>Versions</h2><div class="scroll"><table>{head}{rows}</table></div>'


def _hit(hit: Hit) -> str:
    why = "".join(
        f'<tr><td>{escape(part.meaning)}</td><td class="number">{part.points:+.2f}</td></tr>'
        for part in hit.parts
    )
    details = f"<details><summary>why here</summary><table>{why}</table></details>" if why else ""
    return (
        f"<li><p>{_package_link(hit.name)} {escape(hit.version)}"
        f' <span class="soft">{hit.downloads:,} a month</span></p>'
        f'<p dir="auto">{escape(hit.summary)}</p>{details}</li>'
    )


def _count(found: SearchResult) -> str:
    if not found.total:
        return "Nothing was found"
    more = "more than " if found.more else ""
    return f"{more}{found.total:,} package{'s' if found.total > 1 else ''}".capitalize()


def _pages(text: str, found: SearchResult, number: int, size: int) -> str:
    links = []
    if number > 1:
        links.append(_search_link(text, "Previous page", number - 1))
    if number * size < found.total and found.results:
        links.append(_search_link(text, "Next page", number + 1))
    return f'<nav aria-label="Pages">{" ".join(links)}</nav>' if links else ""


def _search_link(text: str, shown: str, number: int = 1) -> str:
    wanted = {"q": text} if number == 1 else {"q": text, "page": str(number)}
    return f'<a href="/search?{escape(urlencode(wanted))}">{escape(shown)}</a>'


def _searches(prefix: str, values: Iterable[str]) -> str:
    return ", ".join(
        _search_link(f'{prefix}"{value}"' if " " in value else prefix + value, value)
        for value in values
    )


def _package_link(name: str) -> str:
    if not is_package_name(name):
        return escape(name)
    return f'<a href="/package/{quote(name, safe="@/")}">{escape(name)}</a>'


def _address(text: str) -> str:
    """A link for the user to follow, if it is one to a page; it says nothing about who follows."""
    try:
        is_page = urlsplit(text).scheme in {"http", "https"}
    except ValueError:
        is_page = False
    if not is_page:
        return escape(text)
    return f'<a href="{escape(text)}" rel="nofollow noopener noreferrer">{escape(text)}</a>'


def _day(ms: int) -> str:
    return (EPOCH + timedelta(milliseconds=ms)).strftime("%Y-%m-%d")
