from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from click.testing import CliRunner

from pkgstats import cli
from pkgstats.facts import PackageFact
from pkgstats.lookup import Answer, Catalogue

if TYPE_CHECKING:
    import pytest

CATALOGUE = Catalogue(
    Answer(PackageFact(name, "1.0.0", 1_000_000), "writer-1", 5) for name in ("react", "redux")
)


def test_an_answer_is_one_line_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.answer(CATALOGUE, "react")
    assert capsys.readouterr().out == (
        "react 1.0.0  1,000,000 downloads a month  (said by writer-1, block 5)\n"
    )


def test_an_unknown_name_gets_suggestions(capsys: pytest.CaptureFixture[str]) -> None:
    assert not cli.answer(CATALOGUE, "reduc\x1b[2J")
    shown = capsys.readouterr().out
    assert "did you mean: redux" in shown
    assert "\x1b" not in shown


def test_the_prompt_answers_until_ctrl_d(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = iter(["react", "  ", " redux "])

    def type_next(prompt: str) -> str:
        assert prompt == cli.PROMPT
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr(builtins, "input", type_next)
    cli.ask(CATALOGUE)
    assert capsys.readouterr().out.count("downloads a month") == 2


def test_help_names_the_verbs_but_not_the_inner_one() -> None:
    shown = CliRunner().invoke(cli.main, ["--help"]).output
    assert "serve" in shown
    assert "\n  writer " not in shown
