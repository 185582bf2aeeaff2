"""Facts made up for tests: a few dozen packages, with summaries of our own; they can change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pkgstats.view.facts import Details, ListingRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DAY_MS = 86_400_000
NOW = 20_000 * DAY_MS

TABLE = """
react                      19.0.0  90000000  Builds user interfaces out of components
react-dom                  19.0.0  80000000  Draws React components in a page
react-table                 7.8.0   2000000  Hooks for data grids with sorting and filters
@tanstack/react-table       8.1.0   5000000  Headless tables for React
@tanstack/query-core        5.0.0  20000000  The heart of an asynchronous state manager
@types/react               19.0.0  60000000  Type declarations for react
@types/node                22.0.0 200000000  Type declarations for node
@types/lodash               4.1.0  30000000  Type declarations for lodash
lodash                      4.2.0 100000000  A toolbox of functions for arrays and objects
lodash.merge                4.6.0  50000000  The merge function of lodash alone
lodash-es                   4.2.0  15000000  Lodash as native modules
socket.io                   4.7.0   6000000  Realtime events over websockets
ws                          8.1.0  99000000  A small websocket client and server
express                     4.9.0  40000000  A minimal web framework
express-rate-limit          7.0.0   9000000  Middleware that limits how often clients may ask
rate-limiter-flexible       5.0.0   2500000  Counts and limits the rate of actions by key
limiter                     2.1.0   8000000  A token bucket for the rate of calls
bottleneck                  2.1.0   7000000  Schedules tasks and limits their rate
csv-parse                   5.5.0   9500000  Parses CSV text into arrays or objects
csv-stringify               6.4.0   4000000  Turns records into CSV text
fast-csv                    5.0.0   4500000  Parser and formatter of CSV, quick with large files
papaparse                   5.4.0   5500000  Reads delimited text in the browser, CSV above all
date-format                 4.0.0  30000000  Formats dates as strings
moment                      2.3.0  25000000  Parses and shows dates. Legacy: no longer developed
dayjs                       1.1.0  35000000  A small library for dates and times
color                       4.2.0  28000000  Converts and changes colours
chalk                       5.3.0 300000000  Terminal strings with colours
is-stream                   4.0.0  90000000  Tells whether something is a stream
is-string                   1.0.0  40000000  Tells whether something is a string
is-symbol                   1.0.0  45000000  Tells whether something is a symbol
postcss                     8.4.0  99000000  Transforms stylesheets with plugins
postcss-normalize-whitespace 6.0.0 12000000  Removes needless white space from stylesheets
html                        1.0.0      9000  Prettifies markup
html-entities               2.5.0  60000000  Encodes and decodes entities of HTML
html-webpack-plugin         5.6.0  15000000  Writes HTML files for webpack
walker                      1.0.0   9000000  Walks a folder of files
estree-walker               3.0.0  50000000  Walks a syntax tree
tree-walk                   0.4.0      5000  Walks any tree of objects
request                     2.8.0  15000000  Deprecated: makes HTTP requests
axios                       1.7.0  55000000  Promise based HTTP client
got                        14.0.0  20000000  HTTP requests for humans
UPPER                       1.0.0      1000  A name in capitals
upper                       1.0.0     50000  The same name without
zzz                         1.0.0       600
日本語-kit                   0.1.0       500  日本語テキストの処理
"""
"""Name, version, downloads a month and summary. The last name is none that npm takes."""


def rows_of(text: str) -> list[ListingRow]:
    """The rows of a table as above."""
    return [row_of(line) for line in text.strip().splitlines()]


def row_of(line: str) -> ListingRow:
    name, version, downloads, *summary = line.split(maxsplit=3)
    return ListingRow(name, version, int(downloads), "".join(summary), NOW, "here")


def details(
    keywords: tuple[str, ...] = (),
    maintainers: tuple[str, ...] = (),
    licence: str = "",
    dependencies: tuple[str, ...] = (),
    *,
    deprecated: str = "",
    types: str = "none",
    module: str = "cjs",
    modified: int = 0,
) -> Details:
    return Details(
        keywords, maintainers, licence, deprecated, types, module, dependencies, modified, None
    )


DETAILS = {
    "react": details(
        ("ui", "view library"), ("meta", "sophie"), "MIT", ("loose-envify",), modified=NOW - DAY_MS
    ),
    "react-dom": details((), ("meta",), "MIT", ("react", "scheduler"), modified=NOW - 40 * DAY_MS),
    "react-table": details(("table", "grid"), ("tannerl",), "MIT", ("react",), types="own"),
    "@tanstack/react-table": details(
        ("table", "headless ui"), ("tannerl",), "MIT", ("react",), types="own", module="dual"
    ),
    "ws": details(("websocket",), ("luigi",), "MIT", modified=NOW - 400 * DAY_MS),
    "got": details(("http",), ("tanstack",), "MIT", module="esm", modified=NOW - 10 * DAY_MS),
    "request": details(("http",), ("mikeal",), "Apache-2.0", deprecated="use another one"),
    "csv-parse": details(("csv", "parser", "tsv"), ("david",), "MIT", modified=NOW - 5 * DAY_MS),
    "papaparse": details(("csv", "browser"), ("matt",), "MIT"),
}


class MadeUpFacts:
    """Facts as a view gives them."""

    def __init__(
        self, rows: Iterable[ListingRow] = (), manifests: dict[str, Details] | None = None
    ) -> None:
        self.identity = "made up"
        self.generation = 1
        self.rows = {row.name: row for row in rows}
        self.manifests = dict(manifests or {})
        self.changed: dict[str, int] = {}
        self.most = 10_000

    def say(self, *rows: ListingRow) -> None:
        """New rows in the place of old ones; a new generation."""
        self.generation += 1
        for row in rows:
            self.rows[row.name] = row
            self.changed[row.name] = self.generation

    def drop(self, *names: str) -> None:
        self.generation += 1
        for name in names:
            del self.rows[name]
            self.changed[name] = self.generation

    def tell(self, name: str, manifest: Details) -> None:
        self.generation += 1
        self.manifests[name] = manifest
        self.changed[name] = self.generation

    def changed_since(self, generation: int) -> list[str] | None:
        found = [name for name, at in self.changed.items() if at > generation]
        return found if len(found) <= self.most else None

    def listing_rows(self, names: Iterable[str] | None = None) -> Iterator[ListingRow]:
        if names is not None:
            return (self.rows[name] for name in names if name in self.rows)
        return iter(sorted(self.rows.values(), key=lambda row: (-row.downloads, row.name)))

    def details_of(self, names: Iterable[str]) -> dict[str, Details]:
        return {name: self.manifests[name] for name in names if name in self.manifests}


def made_up() -> MadeUpFacts:
    return MadeUpFacts(rows_of(TABLE), DETAILS)
