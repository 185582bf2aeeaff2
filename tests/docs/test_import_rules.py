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


def part(module: str) -> str:
    """`wire` for `hypermultifeed.wire.noise`; the package itself is ``."""
    return [*module.split("."), ""][1]


def ours(found: Import) -> list[str]:
    """The modules of the library that an import reaches (`from hypermultifeed import wire` too)."""
    if found.module == "hypermultifeed":
        return [f"hypermultifeed.{name}" for name in found.names] or ["hypermultifeed"]
    return [found.module] if found.module.startswith("hypermultifeed.") else []


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


@pytest.mark.parametrize("file", LIBRARY_FILES, ids=identifier)
def test_the_library_does_not_know_the_application(file: Path) -> None:
    assert not [str(one) for one in imports(file) if one.module.split(".")[0] == "pkgstats"]


@pytest.mark.parametrize("file", LIBRARY_FILES + APPLICATION_FILES, ids=identifier)
def test_only_declared_dependencies_are_imported(file: Path) -> None:
    declared = set(
        "click rich platformdirs nacl Crypto dns ifaddr hypermultifeed pkgstats".split()  # noqa: SIM905
    )
    known = sys.stdlib_module_names | declared
    assert not [str(one) for one in imports(file) if one.module.split(".")[0] not in known]


def test_no_module_imports_itself_in_a_circle() -> None:
    """Types may point back (TYPE_CHECKING); what runs at import may not."""
    names = {module_name(file) for file in LIBRARY_FILES}
    edges: dict[str, set[str]] = {}
    for file in LIBRARY_FILES:
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
