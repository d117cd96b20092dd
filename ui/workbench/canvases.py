"""A canvas of the playground as markup: words, and places with what they might become when one points at them."""

from __future__ import annotations

from collections.abc import Sequence

from palimpsest.workflows.playing import Mask, Option, Place, Turn

from .look import KINDS
from .markup import element, escape, text

NOTHING = "nothing of it in the evidence"
LEAST = 0.005  # what is less likely is not shown: it would read 0%


def canvas_of(pieces: Sequence[str | Mask], turn: Turn) -> str:
    """The text at one step; a place shows its distribution on hover and focus."""
    places = iter(turn.places)
    parts = [escape(p) if isinstance(p, str) else place(next(places)) for p in pieces]
    return element(
        "div", "".join(parts), class_="pp-words pp-canvas", aria_label="The canvas at this step", role="group"
    )


def place(shown: Place) -> str:
    hover = element("span", _head(shown) + bars(shown), class_="pp-hover", role="tooltip")
    if shown.words is None:
        best = shown.options[0] if shown.options else Option(words="", probability=0.0)
        said = f"open: {KINDS[shown.kind]}, likeliest {best.words or NOTHING}"
        hint = '<span class="pp-soft">▢▢▢</span>' + text("span", said, class_="pp-hidden")
        return f'<span class="pp-slot pp-key-{shown.kind}" data-mask="{shown.kind}" tabindex="0">{hint}{hover}</span>'
    words = escape(shown.words) or f"<em>{NOTHING}</em>"
    return (
        f'<span class="pp-slot pp-done pp-key-{shown.kind}" data-kind="{shown.kind}" tabindex="0">{words}{hover}</span>'
    )


def _head(shown: Place) -> str:
    if shown.words is None:
        return f"<b>{escape(KINDS[shown.kind])}, open.</b> It might become:"
    return (
        f"<b>{escape(KINDS[shown.kind])}, settled in step {shown.step}</b> with {shown.probability:.0%}. Before that:"
    )


def bars(shown: Place) -> str:
    return "".join(bar(o) for n, o in enumerate(shown.options) if n == 0 or o.probability >= LEAST)


def bar(option: Option) -> str:
    """One thing that a place might become, and how likely."""
    words = text("span", option.words) if option.words else f"<span><em>{NOTHING}</em></span>"
    width = round(100 * option.probability)
    return (
        f'<span class="pp-bar">{words}<i><b style="width:{width}%"></b></i><span>{option.probability:.0%}</span></span>'
    )


def described(turn: Turn) -> str:
    """The same in words and bars, for those who cannot point."""
    rows = "".join(_row(n, p, turn.step) for n, p in enumerate(turn.places, 1))
    title = "Before the first step: every place is open" if turn.step == 0 else f"After step {turn.step}"
    return element("div", f"<h3>{title}</h3>{rows}", class_="pp-card")


def _row(number: int, shown: Place, step: int) -> str:
    state = f"settled: {shown.words or NOTHING}" if shown.words is not None else "open"
    now = " – just now" if shown.words is not None and shown.step == step else ""
    bar = "" if shown.words is not None else bars(shown)
    return f'<div class="pp-key-{shown.kind}"><h4>{number}. {escape(KINDS[shown.kind])}, {escape(state)}{now}</h4>{bar}</div>'
