"""docs/cli.md says what the commands say."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from .repository import ROOT

if TYPE_CHECKING:
    from types import ModuleType


def writer() -> ModuleType:
    file = ROOT / "tools" / "cli_document.py"
    spec = importlib.util.spec_from_file_location("cli_document", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_commands_say() -> None:
    tool = writer()
    said = tool.document()
    assert tool.DOCUMENT.read_text("utf-8") == said, "run tools/cli_document.py"


def test_the_page_leaves_out_no_verb() -> None:
    tool = writer()
    assert set(tool.ORDER) == set(tool.main.commands)
