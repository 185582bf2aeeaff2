"""What the repository consists of, read from its source: shared by the checks in this folder."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "packages" / "hypermultifeed" / "src" / "hypermultifeed"
APPLICATION = ROOT / "packages" / "pkgstats" / "src" / "pkgstats"


class Import(NamedTuple):
    """One import: `name` is the module as written, made absolute; `names` what is taken from it."""

    file: Path
    line: int
    module: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}: {self.module} {', '.join(self.names)}"


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imports(file: Path) -> list[Import]:
    """Every import of a file, wherever it stands: in functions and under TYPE_CHECKING too."""
    found: list[Import] = []
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            found += [Import(file, node.lineno, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            module = node.module or ""
            if node.level:
                parts = module_name(file).split(".")
                kept = len(parts) - node.level + (file.name == "__init__.py")
                module = ".".join([*parts[:kept], *([module] if module else [])])
            found.append(Import(file, node.lineno, module, names))
    return found


def module_name(file: Path) -> str:
    """`hypermultifeed.wire.noise` for its file; a package's `__init__` has the package's name."""
    source = next(parent for parent in file.parents if parent.name == "src")
    parts = file.relative_to(source).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def exported(package: Path) -> list[str]:
    """The names in a package's `__all__`."""
    for node in tree(package / "__init__.py").body:
        if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == ["__all__"]:
            return list(ast.literal_eval(node.value))
    return []


def markdown() -> list[Path]:
    """The documents that people read."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("packages/*/*.md")])


def documents() -> str:
    """The text of all of docs/ and of the READMEs."""
    return "\n".join(file.read_text(encoding="utf-8") for file in markdown())
