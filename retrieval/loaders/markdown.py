"""Markdown, through a parser's HTML."""

from __future__ import annotations

from dataclasses import replace

from .encoding import decode
from .front_matter import front_matter
from .html import fill, parse
from .limits import Limits
from .structure import Extracted, Writer
from .text import write_text

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
    return replace(
        front, text=done.text, blocks=done.blocks, media_type="text/markdown", unread=(*decoded.unread, *done.unread)
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
    return str(parser.render(text))
