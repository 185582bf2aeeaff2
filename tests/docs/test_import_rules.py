"""Who may import whom (docs/architecture.md), read from the source.

Imports inside functions and those for type checkers only count too: an edge that exists only for
the types is still an edge that a reader has to follow.
"""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

import pytest

from .repository import APPLICATION, LIBRARY, Import, exported, imports, module_name, modules, tree

if TYPE_CHECKING:
    from pathlib import Path

LIBRARY_FILES = modules(LIBRARY)
APPLICATION_FILES = modules(APPLICATION)
PURE_FOLDERS = ("encoding", "feed", "wire", "replication", "discovery", "peers")

IMPURE = frozenset(
    """
    asyncio concurrent fcntl getpass glob io logging multiprocessing mmap msvcrt os pathlib random
    secrets select selectors shutil signal socket socketserver ssl subprocess tempfile threading
    time datetime uuid
    """.split()  # noqa: SIM905 - a list of thirty quoted words reads worse
)
"""What brings in a clock, chance, a disk, a network, threads or a log."""

FOR_EVERYONE = frozenset({"errors", "keys", "codecs", "crypto"})

MAY_IMPORT: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "crypto": frozenset({"errors"}),
    "keys": frozenset({"errors", "crypto"}),
    "codecs": frozenset({"errors", "crypto"}),
    "encoding": frozenset({"encoding"}),
    "feed": frozenset({"feed", "encoding"}),
    "wire": frozenset({"wire", "encoding"}),
    "replication": frozenset({"replication", "wire", "feed", "encoding"}),
    "discovery": frozenset({"discovery", "encoding"}),
    "peers": frozenset({"peers", "discovery"}),
    "storage": frozenset({"storage", "feed", "errors"}),
}
"""The inner parts. The flat files at the edge may import each other, but not in a circle."""

APPLICATION_IMPURE = IMPURE - {"io", "datetime"} | {"httpx", "sqlite3", "starlette", "uvicorn"}
"""There is `BytesIO` in the one and calendars in the other, whose clock `CLOCKS` looks for."""

CLOCKS = frozenset({"now", "utcnow", "today", "fromtimestamp"})

PURE_MODULES = tuple(
    """
    records merge trust stats listing syndication search.text search.query search.parse search.terms
    search.typos search.synonyms search.documents search.filters search.ranking search.results
    sources.limiter sources.answers sources.manifest sources.facts sources.count_facts
    sources.tarball sources.npmrc crawler.plan crawler.budget crawler.telling view.facts
    posting.wording posting.choosing posting.pace posting.poster
    web.limits web.metrics web.machines.drawing
    markup.links markup.elements markup.rendered markup.sanitise markup.colours markup.outline
    markup.dressing markup.render charts web.addresses web.refining web.pages.found
    """.split()  # noqa: SIM905
)
"""Of the application: bytes, the time and chance are arguments."""

APPLICATION_MAY_IMPORT: dict[str, frozenset[str]] = {
    "records": frozenset(),
    "stats": frozenset(),
    "charts": frozenset({"stats"}),
    "syndication": frozenset(),
    "markup": frozenset({"records"}),
    "merge": frozenset({"records"}),
    "trust": frozenset({"records"}),
    "listing": frozenset({"records"}),
    "sources": frozenset({"records"}),
    "group": frozenset({"records"}),
    "acceptance": frozenset({"records", "trust", "view"}),
    "debounce": frozenset(),
    "stopping": frozenset(),
    "writer": frozenset({"records", "trust"}),
    "view": frozenset({"records", "merge", "trust"}),
    "indexer": frozenset({"view", "trust"}),
    "readmes": frozenset({"records", "view"}),
    "search": frozenset({"records", "stopping", "view"}),
    "digest": frozenset({"records", "stats", "syndication", "view"}),
    "posting": frozenset({"digest", "sources", "syndication"}),
    "crawler": frozenset(
        {"listing", "merge", "records", "sources", "stats", "trust", "view", "writer"}
    ),
    "growth": frozenset({"records", "stats", "view"}),
    "child": frozenset(),
    "network": frozenset(),
    "collecting": frozenset(),
    "folder": frozenset({"growth", "indexer", "search", "view"}),
    "past": frozenset({"folder", "indexer", "search", "view"}),
    "membership": frozenset({"group", "records", "trust", "view"}),
    "node": frozenset(
        {
            *("acceptance", "crawler", "debounce", "folder", "group", "indexer", "membership"),
            *("network", "readmes", "records", "search", "trust", "view", "writer"),
        }
    ),
    "runs": frozenset({"crawler", "listing", "node", "sources", "transfer"}),
    "past_making": frozenset({"folder", "indexer", "node", "past", "trust", "view", "writer"}),
    "web": frozenset(
        {
            *("charts", "digest", "group", "growth", "markup", "node", "past", "plain", "readmes"),
            *("records", "search", "stats", "stopping", "syndication", "view"),
            *("child", "collecting", "crawler", "folder", "past_making", "runs", "sources"),
            "transfer",
        }
    ),
}
"""The application's layers, from the inside out. `cli` and what only it uses may import all."""

OUTERMOST = frozenset({"cli", "__main__"})


def part(module: str) -> str:
    """`wire` for `hypermultifeed.wire.noise`; the package itself is ``."""
    return [*module.split("."), ""][1]


def ours(found: Import, package: str = "hypermultifeed") -> list[str]:
    """The modules of a package that an import reaches (`from hypermultifeed import wire` too)."""
    if found.module == package:
        return [f"{package}.{name}" for name in found.names] or [package]
    return [found.module] if found.module.startswith(f"{package}.") else []


def identifier(file: Path) -> str:
    return module_name(file)


@pytest.mark.parametrize("file", LIBRARY_FILES, ids=identifier)
def test_pure_folders_do_no_input_or_output(file: Path) -> None:
    if part(module_name(file)) not in PURE_FOLDERS:
        return
    wrong = [str(one) for one in imports(file) if one.module.split(".")[0] in IMPURE]
    assert not wrong


@pytest.mark.parametrize("file", LIBRARY_FILES, ids=identifier)
def test_inner_parts_import_only_what_lies_further_in(file: Path) -> None:
    here = part(module_name(file))
    if here not in MAY_IMPORT:
        return
    allowed = MAY_IMPORT[here] | (FOR_EVERYONE if here in PURE_FOLDERS else frozenset())
    wrong = [
        f"{one}: {target}"
        for one in imports(file)
        for target in ours(one)
        if part(target) not in allowed
    ]
    assert not wrong


@pytest.mark.parametrize("file", LIBRARY_FILES, ids=identifier)
def test_only_crypto_knows_the_crypto_libraries(file: Path) -> None:
    if module_name(file) == "hypermultifeed.crypto":
        return
    libraries = {"nacl", "Crypto", "Cryptodome", "hashlib"}
    wrong = [str(one) for one in imports(file) if one.module.split(".")[0] in libraries]
    assert not wrong


@pytest.mark.parametrize("file", LIBRARY_FILES, ids=identifier)
def test_only_the_command_line_imports_the_network(file: Path) -> None:
    if part(module_name(file)) in {"network", "cli", ""}:
        return
    reached = [target for one in imports(file) for target in ours(one)]
    assert not [target for target in reached if part(target) == "network"]


@pytest.mark.parametrize("file", LIBRARY_FILES, ids=identifier)
def test_nobody_imports_the_command_line(file: Path) -> None:
    if part(module_name(file)) in {"cli", "__main__"}:
        return
    wrong = [
        str(one)
        for one in imports(file)
        if one.module.split(".")[0] in {"click", "rich"}
        or any(part(target) == "cli" for target in ours(one))
    ]
    assert not wrong


@pytest.mark.parametrize("file", APPLICATION_FILES, ids=identifier)
def test_the_application_uses_only_public_names(file: Path) -> None:
    public = set(exported(LIBRARY))
    for one in imports(file):
        assert not one.module.startswith("hypermultifeed."), f"{one}: a submodule"
        if one.module == "hypermultifeed":
            unknown = set(one.names) - public
            assert not unknown, f"{one}: not in __all__: {unknown}"


def is_pure(module: str) -> bool:
    """Whether a module of the application is one of `PURE_MODULES`, or in such a folder."""
    return any(f"{module}.".startswith(f"pkgstats.{pure}.") for pure in PURE_MODULES)


@pytest.mark.parametrize("file", APPLICATION_FILES, ids=identifier)
def test_pure_parts_of_the_application_do_no_input_or_output(file: Path) -> None:
    if not is_pure(module_name(file)):
        return
    wrong = [str(one) for one in imports(file) if one.module.split(".")[0] in APPLICATION_IMPURE]
    clocks = [
        f"{file.name}:{node.lineno}: {node.attr}"
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS
    ]
    assert not wrong + clocks


@pytest.mark.parametrize("name", PURE_MODULES)
def test_what_is_named_as_pure_is_there(name: str) -> None:
    assert any(
        f"{module_name(file)}.".startswith(f"pkgstats.{name}.") for file in APPLICATION_FILES
    )


@pytest.mark.parametrize("file", APPLICATION_FILES, ids=identifier)
def test_layers_of_the_application_import_only_what_lies_further_in(file: Path) -> None:
    here = part(module_name(file))
    reached = [(one, target) for one in imports(file) for target in ours(one, "pkgstats")]
    allowed = APPLICATION_MAY_IMPORT.get(here)
    wrong = [
        f"{one}: {target}"
        for one, target in reached
        if part(target) != here
        and (part(target) not in allowed if allowed is not None else part(target) in OUTERMOST)
    ]
    assert not wrong or here in OUTERMOST


@pytest.mark.parametrize("file", LIBRARY_FILES, ids=identifier)
def test_the_library_does_not_know_the_application(file: Path) -> None:
    assert not [str(one) for one in imports(file) if one.module.split(".")[0] == "pkgstats"]


@pytest.mark.parametrize("file", LIBRARY_FILES + APPLICATION_FILES, ids=identifier)
def test_only_declared_dependencies_are_imported(file: Path) -> None:
    libraries = {"cbor2", "click", "dns", "httpx", "ifaddr", "nacl", "Crypto", "platformdirs"}
    libraries |= {"rapidfuzz", "rich", "starlette", "uvicorn", "zstandard"}
    libraries |= {"jinja2", "linkify_it", "markdown_it", "markupsafe", "nh3"}
    libraries |= {"pygments"}
    declared = libraries | {"hypermultifeed", "pkgstats"}
    known = sys.stdlib_module_names | declared
    assert not [str(one) for one in imports(file) if one.module.split(".")[0] not in known]


@pytest.mark.parametrize(
    "files", [LIBRARY_FILES, APPLICATION_FILES], ids=["library", "application"]
)
def test_no_module_imports_itself_in_a_circle(files: list[Path]) -> None:
    """Types may point back (TYPE_CHECKING); what runs at import may not."""
    names = {module_name(file) for file in files}
    edges: dict[str, set[str]] = {}
    for file in files:
        here = module_name(file)
        edges[here] = set()
        for one in imports(file):
            if one.line in guarded_lines(file):
                continue
            inner = {f"{one.module}.{name}" for name in one.names} & names
            if len(inner) < max(1, len(one.names)) and one.module in names:
                inner.add(one.module)  # a name that is no module lies in the package itself
            edges[here] |= inner - {here}
    circle = find_circle(edges)
    assert circle is None, " -> ".join(circle or [])


def guarded_lines(file: Path) -> set[int]:
    """Lines that do not run at import: inside functions, and under `if TYPE_CHECKING`."""
    lines: set[int] = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or (
            isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        ):
            lines |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def find_circle(edges: dict[str, set[str]]) -> list[str] | None:
    """One circle in a directed graph, or None."""
    done: set[str] = set()

    def visit(node: str, path: list[str]) -> list[str] | None:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return None
        for target in sorted(edges.get(node, ())):
            if circle := visit(target, [*path, node]):
                return circle
        done.add(node)
        return None

    for start in sorted(edges):
        if circle := visit(start, []):
            return circle
    return None


def test_the_circle_finder_finds_circles() -> None:
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert find_circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None
