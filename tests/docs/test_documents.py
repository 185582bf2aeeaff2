"""The documents are held to the code: every command, verb, error and public name, both ways."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import typing
from typing import TYPE_CHECKING

import click
import pytest

import hypermultifeed
from hypermultifeed import errors
from hypermultifeed.cli import main as library_command
from pkgstats.cli import main as application_command

from .repository import APPLICATION, LIBRARY, ROOT, documents, exported, markdown, tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)

ERRORS = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if issubclass(value, errors.HypermultifeedError)
]


def runner_verbs() -> set[str]:
    spec = importlib.util.spec_from_file_location("runner", ROOT / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return set(module.VERBS)


def verbs(command: click.Command) -> list[str]:
    assert isinstance(command, click.Group)
    return sorted(name for name, one in command.commands.items() if not one.hidden)


def code_blocks(file: Path) -> Iterator[str]:
    """Fenced and inline code of a Markdown file."""
    text = file.read_text(encoding="utf-8")
    yield from FENCED.findall(text)
    yield from re.findall(r"`([^`\n]+)`", FENCED.sub("", text))


@pytest.mark.parametrize("file", markdown(), ids=lambda file: str(file.relative_to(ROOT)))
def test_every_runner_command_in_a_document_exists(file: Path) -> None:
    said = {verb for code in code_blocks(file) for verb in re.findall(r"\brun\.py (\w+)", code)}
    assert said <= runner_verbs()


@pytest.mark.parametrize("file", markdown(), ids=lambda file: str(file.relative_to(ROOT)))
def test_every_command_line_in_a_document_exists(file: Path) -> None:
    for program, command in (
        ("hypermultifeed", library_command),
        ("pkgstats", application_command),
    ):
        said = {
            verb
            for code in code_blocks(file)
            for verb in re.findall(rf"^(?:\$ )?{program} ([a-z]+)\b", code, re.MULTILINE)
        }
        assert said <= set(verbs(command))


@pytest.mark.parametrize("file", markdown(), ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(file: Path) -> None:
    text = FENCED.sub("", file.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (file.parent / target).exists(), target


@pytest.mark.parametrize("verb", sorted(runner_verbs()))
def test_the_readme_names_every_runner_verb(verb: str) -> None:
    assert f"run.py {verb}" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", verbs(library_command))
def test_every_verb_of_the_command_line_is_documented(verb: str) -> None:
    assert re.search(rf"\bhypermultifeed {verb}\b", documents())


@pytest.mark.parametrize("verb", verbs(application_command))
def test_every_verb_of_the_application_is_documented(verb: str) -> None:
    assert re.search(rf"\b(pkgstats|run\.py) {verb}\b", documents())


@pytest.mark.parametrize("command", [library_command, application_command], ids=lambda c: c.name)
def test_every_command_and_option_has_help(command: click.Command) -> None:
    assert isinstance(command, click.Group)
    for one in [command, *command.commands.values()]:
        assert one.help, one.name
        for option in one.params:
            if isinstance(option, click.Option):
                assert option.help, f"{one.name} {option.name}"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_is_documented_with_its_code(error: type[errors.HypermultifeedError]) -> None:
    text = documents()
    assert re.search(rf"\b{error.__name__}\b", text)
    assert re.search(rf"\b{error.code}\b", text)


def test_every_error_has_a_code_of_its_own_and_is_public() -> None:
    codes = [error.code for error in ERRORS]
    assert len(set(codes)) == len(codes)
    assert {error.__name__ for error in ERRORS} <= set(exported(LIBRARY))
    drawn = set(re.findall(r"\b\w+Error\b", errors.__doc__ or ""))
    assert {error.__name__ for error in ERRORS} <= drawn


@pytest.mark.parametrize("name", exported(LIBRARY))
def test_every_public_name_is_documented(name: str) -> None:
    assert hasattr(hypermultifeed, name)
    assert re.search(rf"\b{name}\b", documents())
    value = getattr(hypermultifeed, name)
    assert name == "__version__" or typing.get_origin(value) or inspect.getdoc(value)


def test_all_is_sorted_and_says_everything_once() -> None:
    names = exported(LIBRARY)
    assert names
    assert len(set(names)) == len(names)
    imported = {
        alias.asname or alias.name
        for node in tree(LIBRARY / "__init__.py").body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    }
    assert imported <= set(names)


@pytest.mark.parametrize("package", [LIBRARY, APPLICATION], ids=lambda package: package.name)
def test_packages_tell_type_checkers_that_they_are_typed(package: Path) -> None:
    assert (package / "py.typed").exists()


LIMITS = re.findall(
    r"^\|[^|]+\|[^|]+\| (`[a-z_.]+\.[A-Za-z_]+`(?:, `[A-Za-z_.]+`)*) \|$",
    (ROOT / "docs/api.md").read_text("utf-8"),
    re.MULTILINE,
)


def test_every_limit_named_in_the_docs_is_in_the_code() -> None:
    assert len(LIMITS) > 10
    for cell in LIMITS:
        module = ""
        for name in cell.replace("`", "").split(", "):
            module = name.rpartition(".")[0] or module
            limits = importlib.import_module(f"hypermultifeed.{module}")
            assert hasattr(limits, name.rpartition(".")[2]), name
