"""The whole pipeline, from Markdown to what a page shows."""

from __future__ import annotations

import pytest

from pkgstats.markup import render as pipeline
from pkgstats.markup.links import Base
from pkgstats.markup.render import render
from pkgstats.markup.rendered import Heading
from pkgstats.markup.sanitise import REL, gate
from pkgstats.records.model import README_BYTES_MAX

BASE = Base("git+https://github.com/owner/name.git")
FILES = "https://github.com/owner/name"


def html(text: str, *, images: bool = False) -> str:
    return render(text, base=BASE, images=images).html.strip()


def test_headings_leave_the_first_level_to_the_page() -> None:
    found = render("# Name\n\n## Usage\n\n#### Deep\n\n## Usage\n", base=BASE, images=False)
    assert found.headings == (
        Heading(2, "r-name", "Name"),
        Heading(3, "r-usage", "Usage"),
        Heading(4, "r-deep", "Deep"),
        Heading(3, "r-usage-1", "Usage"),
    )
    assert '<h3 id="r-usage-1">Usage</h3>' in found.html


def test_links_within_a_readme_lead_to_its_headings() -> None:
    found = html('[a](#usage) [b](#old) [c](#gone)\n\n## <a name="old"></a>Usage')
    assert f'<a href="#r-usage" rel="{REL}">a</a> <a href="#r-usage" rel="{REL}">b</a> c' in found


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("[x](docs/a.md#b)", f"{FILES}/blob/HEAD/docs/a.md#b"),
        ("<https://example.org/>", "https://example.org/"),
        ("https://example.org/a?b=1&c", "https://example.org/a?b=1&amp;c"),
        ("[x](mailto:me@example.org)", "mailto:me@example.org"),
        ('<a href="/LICENSE">x</a>', f"{FILES}/blob/HEAD/LICENSE"),
    ],
)
def test_links_lead_to_whole_addresses(text: str, address: str) -> None:
    assert f'<a href="{address}" rel="{REL}">' in html(text)


@pytest.mark.parametrize("text", ["README.md and example.org", "me@example.org", "[x](ftp://a.b/)"])
def test_what_is_not_plainly_a_link_is_none(text: str) -> None:
    assert "<a" not in html(text)


def test_a_link_without_a_text_says_its_host() -> None:
    assert html("[](https://example.org/a)").endswith(">example.org</a></p>")
    shown = html("[![](https://example.org/a.png)](https://example.com)", images=True)
    assert shown.endswith(">example.com</a></p>")


def test_images_are_links_until_they_are_asked_for() -> None:
    text = "![A logo](logo.png)"
    found = render(text, base=BASE, images=False)
    assert found.images == 1
    link = f'<a href="{FILES}/raw/HEAD/logo.png" class="r-image" rel="{REL}">image: A logo</a>'
    assert found.html == f"<p>{link}</p>\n"
    shown = '<img src="{}/raw/HEAD/logo.png" alt="A logo" loading="lazy" referrerpolicy="{}">'
    assert html(text, images=True) == f"<p>{shown.format(FILES, 'no-referrer')}</p>"


def test_an_image_in_a_link_does_not_become_a_link_in_a_link() -> None:
    found = html("[![build](https://example.org/b.svg)](https://example.com)")
    inner = '<span class="r-image">image: build</span>'
    assert found == f'<p><a href="https://example.com" rel="{REL}">{inner}</a></p>'


def test_images_come_over_https_only() -> None:
    found = render("![a](http://example.org/a.png) ![](data:image/png,a)", base=BASE, images=True)
    assert found.images == 0
    assert "<img" not in found.html
    assert "image: a</a>" in found.html


def test_html_of_authors_is_treated_like_markdown() -> None:
    text = '<h1 align="center">Name</h1>\n<picture><source srcset="d.png"><img src="l.png" alt="L">'
    found = html(text + '</picture>\n<font color="red">red</font> <kbd>A</kbd>', images=True)
    assert found.startswith('<h2 id="r-name" class="r-center">Name</h2>')
    assert found.count("<img") == 1
    assert "red <kbd>A</kbd>" in found


def test_tables_and_code_can_be_scrolled_by_keyboard() -> None:
    found = html("| a | b |\n|---|--:|\n| 1 | 2 |\n\n```\nx\n```")
    assert '<div class="r-scroll" tabindex="0" role="region" aria-label="Table 1"><table>' in found
    assert '<td class="r-right">2</td>' in found
    assert found.endswith('<pre class="r-code" tabindex="0"><code>x\n</code></pre>')


def test_code_is_coloured_by_its_language() -> None:
    assert '<span class="h-k">const</span>' in html("```js\nconst a\n```")
    assert '<span class="h-k">const</span>' in html('<pre lang="js">const a</pre>')
    assert "<span" not in html("```wingdings\nconst a\n```")


def test_tasks_are_marks() -> None:
    found = html("- [x] done\n- [ ] open\n\n1. [X] first\n\n   more")
    assert "<li>☑ done</li>\n<li>☐ open</li>" in found
    assert "<p>☑ first</p>" in found
    assert "<input" not in found


def test_alerts_are_named() -> None:
    assert "<p><strong>Warning:</strong> It <em>bites</em>.</p>" in html(
        "> [!WARNING]\n> It *bites*."
    )
    assert "[!Joke]" in html("> [!Joke]\n> a")


def test_tags_that_would_swallow_the_rest_are_words() -> None:
    found = html("Set the <title> and the <textarea>.\n\nMore **text**.")
    assert "&lt;title&gt;" in found
    assert "<strong>text</strong>" in found


def test_a_readme_that_is_too_long_is_cut() -> None:
    found = render("a" * (README_BYTES_MAX + 1), base=BASE, images=False)
    assert found.cut
    assert len(found.html) < README_BYTES_MAX + 100
    assert not render("a", base=BASE, images=False).cut


def test_what_grows_too_much_is_cut_and_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "HTML_BYTES_MAX", 10_000)
    grown = render("- > ![a](b)\n" * 1000, base=BASE, images=False)
    assert grown.cut
    assert 9_000 < len(grown.html.encode()) <= 10_000
    assert gate(grown.html) == grown.html


def test_half_a_character_and_nothing_at_all_are_no_readmes_but_harm_nothing() -> None:
    assert html("\ud800 \0") != ""
    assert html("") == ""
