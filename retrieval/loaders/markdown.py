"""Markdown, through a parser's HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .encoding import decode
from .front_matter import front_matter
from .html import fill, parse
from .limits import Limits
from .structure import Extracted, Writer
from .text import is_title, subject_of, write_text

if TYPE_CHECKING:
    from markdown_it.token import Token

_LONGEST_LINE = 50_000  # the parser needs time in the square of a line's length


def load_markdown(data: bytes, name: str, limits: Limits) -> Extracted:
    decoded = decode(data, name)
    front, body = front_matter(decoded.text)
    writer = Writer(limits)
    if max(map(len, body.split("\n"))) > _LONGEST_LINE:
        writer.say(
            f"It has lines of more than {_LONGEST_LINE:,} letters and was read as plain text, without headings and tables"
        )
        write_text(writer, body)
    elif body.strip():
        fill(writer, parse(_rendered(body), name), is_page=False)
    done = writer.finish()
    first = next((done.text[b.start : b.end] for b in done.blocks if b.kind == "heading"), "")
    return replace(
        front,
        title=front.title or subject_of(first),
        text=done.text,
        blocks=done.blocks,
        media_type="text/markdown",
        unread=(*decoded.unread, *done.unread),
    )


def _rendered(text: str) -> str:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.deflist import deflist_plugin
    from mdit_py_plugins.footnote import footnote_plugin

    parser = (
        MarkdownIt("commonmark", {"html": True})
        .enable(["table", "strikethrough"])
        .use(footnote_plugin)
        .use(deflist_plugin)
    )
    env: dict[str, object] = {}
    return str(parser.renderer.render(_with_bold_headings(parser.parse(text, env)), parser.options, env))


def _with_bold_headings(tokens: list[Token]) -> list[Token]:
    """With paragraphs that are nothing but bold words without an end as headings: below all others, or, where a text has no other, the
    first as its title.
    """
    has_others = any(token.type == "heading_open" for token in tokens)
    for number, token in enumerate(tokens):
        if token.type == "paragraph_open" and token.level == 0 and _is_bold(tokens[number + 1].children or ()):
            tag = "h6" if has_others else "h1"
            for mark, kind in ((token, "heading_open"), (tokens[number + 2], "heading_close")):
                mark.tag, mark.type = tag, kind
            has_others = True
    return tokens


def _is_bold(words: Sequence[Token]) -> bool:
    """Whether all of a paragraph stands in one pair of stars, on one line, and may head something."""
    said = [word for word in words if word.type != "text" or word.content]
    if len(said) < 3 or (said[0].type, said[-1].type) != ("strong_open", "strong_close"):
        return False
    inside = said[1:-1]
    return all(word.type in ("text", "code_inline") for word in inside) and is_title("".join(w.content for w in inside))
