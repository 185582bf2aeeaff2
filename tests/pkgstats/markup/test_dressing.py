"""Links, tables, lists and code of a tree, for a page that everyone can use."""

from __future__ import annotations

import pytest

from pkgstats.markup import dressing
from pkgstats.markup.dressing import Dresser
from pkgstats.markup.elements import Writer, read
from pkgstats.markup.links import Base
from pkgstats.markup.outline import outline
from pkgstats.markup.sanitise import tidy


def dressed(html: str) -> str:
    root = read(tidy(html))
    dresser = Dresser(Base("owner/name"), outline(root), show_images=True)
    return Writer(100_000).write(dresser.dress(root))


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("<ul>a<li>b</li><p>c</p></ul>", "<ul><li>a</li><li>b</li><li><p>c</p></li></ul>"),
        ("<li>a</li>", "<div>a</div>"),
        ("<dl><dt>a</dt><dd>b</dd></dl>", "<div><div>a</div><div>b</div></div>"),
        ("<nav>a</nav><center>b</center>", '<div>a</div><div class="r-center">b</div>'),
        ("a</p>b", "ab"),
        ("<details><summary></summary>", "<details><summary>Details</summary></details>"),
        ('<ol start="3"><li>a</ol>', '<ol start="3"><li>a</li></ol>'),
        ('<ol start="x"><li>a</ol>', "<ol><li>a</li></ol>"),
        ('<p align="left" title="x">a</p>', "<p>a</p>"),
        ("<h1> </h1>", "<div> </div>"),
        ('<img src="x:y">', ""),
        ('<img src="x:y" alt="a">', "image: a"),
    ],
)  # fmt: skip
def test_what_authors_write_is_put_right(wrong: str, right: str) -> None:
    assert dressed(wrong) == right


def test_cells() -> None:
    row = "<tr><th>a</th><th> </th><td colspan=2 rowspan=0 align=RIGHT>b</td></tr>"
    found = dressed(f"<table>{row}</table>")
    assert "<th>a</th><td> </td>" in found
    assert '<td colspan="2" class="r-right">b</td>' in found


def test_a_table_of_headers_only_has_none() -> None:
    assert "<th>" not in dressed("<table><tr><th>a</th></tr></table>")


def test_only_the_outer_of_two_tables_is_framed() -> None:
    inner = "<table><tr><td>a</td></tr></table>"
    found = dressed(f"<table><tr><td>{inner}</td></tr></table>{inner}")
    assert found.count("r-scroll") == 2
    assert '"Table 1"' in found
    assert '"Table 2"' in found


def test_there_is_nothing_to_focus_within_a_link() -> None:
    table = "<table><tr><td>a</td></tr></table>"
    found = dressed(f'<a href="https://a.example"><pre>x</pre>{table}</a>')
    assert "tabindex" not in found
    assert '<pre class="r-code">x</pre>' in found


def test_there_is_nothing_to_press_within_what_unfolds() -> None:
    inner = '<a href="https://a.example">a</a><details><summary>b</summary>c</details>'
    found = dressed(f"<details><summary>{inner}</summary><a href=https://a.example>d</a></details>")
    assert "<summary>a<div><div>b</div>c</div></summary>" in found
    assert found.count("<a href") == 1


def test_code_that_is_marked_up_already_stays_so() -> None:
    assert "<b>const</b> a" in dressed('<pre lang="js"><b>const</b> a</pre>')
    assert dressed("<pre>\n\n\nx</pre>").endswith(">x</pre>")


def test_colours_end_where_there_is_too_much_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dressing, "COLOURED_CHARACTERS_MAX", 20)
    assert dressed('<pre lang="js">const a = 1</pre>' * 3).count('"h-k"') == 1


def test_sizes_of_images_are_numbers() -> None:
    found = dressed('<img src="https://a.example/b" width="20" height="50%">')
    assert 'alt="" width="20" loading' in found
    assert "height" not in found
