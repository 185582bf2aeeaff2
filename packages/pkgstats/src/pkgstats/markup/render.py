"""A readme from Markdown to HTML that is safe to put into a page. Pure.

The order matters: Markdown with whatever HTML its author wrote becomes a well-formed tree
(`sanitise.tidy`), which is dressed; then nh3 lets through only what is ours (`sanitise.gate`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from markdown_it import MarkdownIt

from pkgstats.markup.dressing import Dresser
from pkgstats.markup.elements import Writer, read
from pkgstats.markup.outline import outline
from pkgstats.markup.rendered import HTML_BYTES_MAX, Rendered, bounded
from pkgstats.markup.sanitise import gate, tidy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.renderer import RendererProtocol
    from markdown_it.token import Token

    from pkgstats.markup.links import Base

NESTING_MAX: Final = 60
"""Quotes in quotes and lists in lists (which count twice); what is deeper is left out."""

_SWALLOWING: Final = re.compile(
    r"<(?=/?(?:title|textarea|style|xmp|iframe|noembed|noframes|script|plaintext)\b)", re.IGNORECASE
)
"""Tags after which a browser reads no others (GFM, 6.11): they would take the rest with them."""


def render(text: str, *, base: Base, images: bool) -> Rendered:
    """A readme as HTML.

    Args:
        text: Markdown as GitHub has it; what is beyond 512 kB is left out.
        base: what its relative links are relative to.
        images: whether images are shown; if not, each becomes a link to it.

    Returns:
        at most 2 MB. It takes about 10 ms for 10 kB, and may take very long for what was written
        to that end: `renderer.Renderer` puts an end to it.
    """
    text, too_long = bounded(text.removeprefix("\ufeff"))
    root = read(tidy(_markdown().render(text)))
    found = outline(root)
    dresser = Dresser(base, found, show_images=images)
    writer = Writer(HTML_BYTES_MAX)
    html = gate(writer.write(dresser.dress(root)))
    return Rendered(html, dresser.images, too_long or writer.cut, found.headings)


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("gfm-like", {"maxNesting": NESTING_MAX})
    if markdown.linkify is not None:  # only what is plainly a link: README.md is no host
        markdown.linkify.set({"fuzzy_link": False, "fuzzy_email": False})
    markdown.add_render_rule("html_block", _html)
    markdown.add_render_rule("html_inline", _html)
    return markdown


def _html(
    _renderer: RendererProtocol, tokens: Sequence[Token], index: int, _options: Any, _env: Any
) -> str:
    return _SWALLOWING.sub("&lt;", tokens[index].content)
