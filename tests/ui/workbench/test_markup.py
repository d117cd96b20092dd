"""Words from outside are text, whatever they hold: as HTML, as an attribute, and as the label of a widget."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from palimpsest.ui.workbench import markup

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "</p></div></style></textarea><iframe src=//evil.example>",
    '" onmouseover="alert(1)" x="',
    "' onfocus='alert(1)' autofocus='",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#x3C;script&#x3E;",
    "<!-- <p> --><![CDATA[ <b> ]]><?php echo 1 ?>",
    "<math><mtext><table><mglyph><style><img src onerror=alert(1)>",
    "{{7*7}} ${7*7} #{7*7} <%= 7*7 %>",
    "![p](http://evil.example/p.png)",
    "[l](http://evil.example) <http://evil.example> http://evil.example",
    "[l]: http://evil.example 'x'\n\n[l]",
    "`code` **bold** __u__ ~~s~~ # h\n> q\n- l\n1. n\n---\n| a |\n|---|\n| b |",
    ":red[red] :material/home: :smile: :blue-background[x] :small[s] $x^2$ $$y$$ :badge[x]",
    "\u202egnp.exe\u2066\u200b\u2028\ufeff",
    "\x00\x08\x1b[31mred\x1b[0m\r\n\t",
    "\ud800 lone \udfff",
    "ＦＵＬＬ＜script＞ ‹b› «i»",
    "a" * 5000,
)


class Seen(HTMLParser):
    """What a browser would make of markup: its tags, and its text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def seen(html: str) -> Seen:
    parser = Seen()
    parser.feed(html)
    parser.close()
    return parser


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_are_text_in_an_element(words: str) -> None:
    shown = seen(markup.text("p", words, title=words, data_x=words))
    assert [tag for tag, _ in shown.tags] == ["p"]
    assert [name for name, _ in shown.tags[0][1]] == ["title", "data-x"]
    assert shown.text == markup.visible(words)
    assert not any(letter in shown.text for letter in "\u202e\u2066\x00\x1b\ud800\n")


@pytest.mark.parametrize("words", HOSTILE)
def test_marked_words_are_text_around_marks_alone(words: str) -> None:
    shown = seen(markup.marked(words, (2, 4), (1, 6)))
    assert {tag for tag, _ in shown.tags} <= {"mark"}
    assert shown.text.replace("\n", " ") == markup.visible(words)


def test_a_place_is_marked_within_its_sentence_line_by_line() -> None:
    assert markup.marked("a b\nc d", (2, 5), (0, 5)) == (
        '<mark class="pp-around">a </mark><mark>b</mark>\n<mark>c</mark> d'
    )
    assert markup.marked("a b c", (2, 3), (2, 3)) == "a <mark>b</mark> c"


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_are_text_in_a_label(words: str) -> None:
    """Streamlit reads labels as Markdown with directives, formulas, icons and emoji: none of these is left."""
    label = markup.label(words)
    (inline,) = [t for t in MarkdownIt("gfm-like", {"linkify": False}).parse(f"x{label}") if t.type == "inline"]
    assert {t.type for t in inline.children or ()} <= {"text", "text_special", "softbreak"}
    shown = "".join(t.content for t in inline.children or ())
    assert shown.replace(markup.WORD_JOINER, "") == "x" + markup.visible(words).rstrip()
    assert ":material" not in shown
    assert ":smile:" not in shown
