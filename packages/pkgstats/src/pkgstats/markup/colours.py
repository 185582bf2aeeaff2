"""Code in colours: Pygments' tokens as spans of a few classes. Pure."""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Final

from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Generic, Keyword, Literal, Name, Number, Operator, String

from pkgstats.markup.elements import Element, text_of

if TYPE_CHECKING:
    from pygments.lexer import Lexer
    from pygments.token import _TokenType

CODE_CHARACTERS_MAX: Final = 20_000
"""Of a block that is coloured; a longer one is data rather than an example."""

LANGUAGES: Final = {
    **dict.fromkeys(("js", "javascript", "mjs", "cjs", "node", "es6"), "javascript"),
    **dict.fromkeys(("ts", "typescript", "mts", "cts"), "typescript"),
    **dict.fromkeys(("jsx", "tsx"), "tsx"),
    **dict.fromkeys(("json", "json5", "jsonc"), "json"),
    **dict.fromkeys(("sh", "bash", "shell", "zsh"), "bash"),
    **dict.fromkeys(("console", "shell-session", "terminal"), "console"),
    **dict.fromkeys(("html", "vue", "svelte"), "html"),
    **dict.fromkeys(("xml", "svg"), "xml"),
    **dict.fromkeys(("yaml", "yml"), "yaml"),
    **dict.fromkeys(("diff", "patch"), "diff"),
    **dict.fromkeys(("python", "py"), "python"),
    **dict.fromkeys(("rust", "rs"), "rust"),
    **dict.fromkeys(("ruby", "rb"), "ruby"),
    **dict.fromkeys(("csharp", "cs"), "csharp"),
    **dict.fromkeys(("cpp", "c++"), "cpp"),
    **dict.fromkeys(("dockerfile", "docker"), "docker"),
    **dict.fromkeys(("powershell", "ps1"), "powershell"),
    **{name: name for name in ("css", "scss", "sass", "less", "toml", "ini", "graphql", "sql")},
    **{name: name for name in ("go", "java", "kotlin", "swift", "dart", "php", "c", "lua")},
    **{name: name for name in ("coffeescript", "pug", "handlebars", "make", "nginx", "http")},
}
"""What authors call a language, and Pygments' name of it. Anything else stays without colours."""

GROUPS: Final = {
    Comment: "h-c",
    Comment.Preproc: "h-k",
    Keyword: "h-k",
    Keyword.Constant: "h-n",
    Operator.Word: "h-k",
    String: "h-s",
    Number: "h-n",
    Literal: "h-n",
    Name.Function: "h-f",
    Name.Class: "h-f",
    Name.Decorator: "h-f",
    Name.Tag: "h-t",
    Name.Attribute: "h-a",
    Name.Builtin: "h-a",
    Name.Property: "h-a",
    Name.Constant: "h-n",
    Generic.Inserted: "h-i",
    Generic.Deleted: "h-d",
    Generic.Prompt: "h-c",
    Generic.Subheading: "h-f",
}
"""Kinds of tokens, and so those below them; nine colours are as many as one can tell apart."""


def coloured(code: str, language: str) -> list[Element | str]:
    """A block of code as texts and spans whose texts are, together, ``code``.

    Args:
        code: without a bound; a long one stays as it is.
        language: what its author calls its language.
    """
    name = LANGUAGES.get(language.lower())
    if name is None or len(code) > CODE_CHARACTERS_MAX:
        return [code]
    nodes: list[Element | str] = []
    tokens = _lexer(name).get_tokens_unprocessed(code)
    for group, run in groupby(tokens, lambda token: _group(token[1])):
        text = "".join(token[2] for token in run)
        nodes.append(Element("span", {"class": group}, [text]) if group and text.strip() else text)
    whole = "".join(map(text_of, nodes)) == code  # Pygments' one for consoles may leave text out
    return nodes if whole else [code]


@lru_cache
def _lexer(name: str) -> Lexer:
    return get_lexer_by_name(name)


@lru_cache(maxsize=1024)
def _group(kind: _TokenType) -> str:
    for one in reversed(kind.split()):
        if one in GROUPS:
            return GROUPS[one]
    return ""
