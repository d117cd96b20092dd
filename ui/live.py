"""A run in a terminal while it goes on: what happened scrolls by, and below it the draft stands with its masks turning into words."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

if TYPE_CHECKING:
    from palimpsest.agent.draft import Block, Span
    from palimpsest.agent.frames import Frame, Slot
    from palimpsest.agent.state import Event

A_SECOND = 5  # times the screen is drawn anew
ROOM = 14  # lines of draft that are shown, in a terminal that is high enough
BESIDE = 3  # verdicts and other slots that are shown beside a block, the latest of them
MASK = "▒▒▒▒"
KINDS = {  # of masks, and their colours; where there are none, the kind stands beside the mask
    "ENTITY": "cyan",
    "NUMBER": "yellow",
    "TEXT": "blue",
    "LOGIC": "magenta",
    "CITE": "green",
    "OUTLINE": "bright_red",
    "CHOICE": "bright_magenta",
}
_COUNTED = {  # what is counted beside the draft, as one and as several
    "searched": ("search", "searches"),
    "wrote": ("written", "written"),
    "revised": ("revised", "revised"),
    "conflict": ("conflict", "conflicts"),
}
_SHOWN = ("heading", "answer", "quotation", "statement", "prose", "table")


class Screen:
    """What is seen of a run. It is told events and frames, on whichever thread, and drawn by another."""

    def __init__(self) -> None:
        self.step, self.note = "open", ""
        self.counts: dict[str, int] = {}
        self.blocks: tuple[Block, ...] = ()
        self.slots: Mapping[str, Slot] = {}
        self._latest = ""
        self._begun = time.monotonic()

    def event(self, event: Event) -> None:
        self.counts = {**self.counts, event.kind: self.counts.get(event.kind, 0) + 1}
        self.step = event.step

    def frame(self, frame: Frame) -> None:
        self.step, self.note = frame.step, frame.text
        if frame.kind == "draft":
            old = {b.id: b for b in self.blocks}
            changed = [b.id for b in frame.blocks if old.get(b.id) != b and b.kind in _SHOWN]
            self._latest = changed[-1] if changed else self._latest
            self.blocks, self.slots = frame.blocks, {}
        elif frame.slots:
            self.slots = {**self.slots, **{s.span: s for s in frame.slots}}
            self._latest = frame.slots[-1].block

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = max(3, min(ROOM, console.height - 8))
        lines = [line for part in self._parts() for line in part.wrap(console, max(20, options.max_width))]
        at = self._line_of_latest(console, options)
        first = max(0, min(at - room + 3, len(lines) - room))
        yield from lines[first : first + room]
        yield self._status()

    def _parts(self) -> Iterator[Text]:
        for block in self.blocks:
            if block.kind in _SHOWN:
                yield self._block(block)

    def _line_of_latest(self, console: Console, options: ConsoleOptions) -> int:
        """The line, from 0, on which the block ends that changed last."""
        count = 0
        for block in (b for b in self.blocks if b.kind in _SHOWN):
            count += len(self._block(block).wrap(console, max(20, options.max_width)))
            if block.id == self._latest:
                break
        return count - 1

    def _block(self, block: Block) -> Text:
        lead = {"heading": "", "answer": "  ", "quotation": "  “"}.get(block.kind, "  ")
        text = Text(lead, style="bold" if block.kind == "heading" else "")
        for span in block.words:
            text.append_text(self._span(span))
        if block.kind == "quotation":
            text.append("”")
        beside = [s for s in self.slots.values() if s.block == block.id and s.span not in {w.id for w in block.words}]
        for slot in beside[-BESIDE:]:
            text.append_text(Text("  ").append_text(_slot(slot)))
        return text

    def _span(self, span: Span) -> Text:
        slot = self.slots.get(span.id)
        if slot is not None:
            return _slot(slot)
        if span.status == "open":
            return _mask(span.kind, span.text)
        return Text("not established", style="dim") if span.status == "unestablished" else Text(span.text)

    def _status(self) -> Text:
        seconds = time.monotonic() - self._begun
        counts = [f"{n} {words[n > 1]}" for kind, words in _COUNTED.items() if (n := self.counts.get(kind))]
        words = self.note or ", ".join(counts)
        return Text(
            f"{self.step:>8} · {seconds:.0f} s" + (f" · {words}" if words else ""),
            style="bold",
            overflow="ellipsis",
            no_wrap=True,
        )


def _mask(kind: str, words: str = "") -> Text:
    text = Text().append(f" {words or MASK} ", style=f"{KINDS.get(kind, 'white')} reverse")
    return text.append(f" {kind.lower()} ", style="dim")


def _slot(slot: Slot) -> Text:
    """A place under way: masks, with what would be written in them; words that are settled stand in the colour of their kind."""
    colour = KINDS.get(slot.kind, "white")
    text = Text()
    for token in slot.tokens:
        if token.open:
            text.append(f" {token.text or MASK} ", style=f"{colour} reverse")
        else:
            text.append(f"{token.text} ", style=f"{colour} bold")
    if not any(token.open for token in slot.tokens):
        return text
    label = slot.kind.lower() + (f": {slot.reason}" if slot.reason not in ("", "question", slot.kind.lower()) else "")
    return text.append(f" {label} ", style="dim")


@contextmanager
def screen(console: Console) -> Iterator[tuple[Screen, Live]]:
    """A screen that is drawn below whatever is printed, and gone when the run is over."""
    shown = Screen()
    with Live(shown, console=console, refresh_per_second=A_SECOND, transient=True, vertical_overflow="crop") as live:
        yield shown, live
