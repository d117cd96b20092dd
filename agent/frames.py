"""Frames: what an eye sees of a draft while it is denoised. They decide nothing and are no part of a run's log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from palimpsest.retrieval.types import Frozen

from .draft import Block, Draft, Kind


class Token(Frozen):
    """A word of a slot. An open one is a mask: `text` is what would be written now, "" where nothing is known yet."""

    text: str
    open: bool = False
    certainty: float | None = None


class Slot(Frozen):
    """A place while it is filled: its span and block, what kind of mask it is, why it is open, and after which step (0: before)."""

    span: str
    block: str
    kind: Kind
    reason: str = ""
    turn: int = 0
    tokens: tuple[Token, ...] = ()


class Frame(Frozen):
    """One look: slots under way, the whole draft as it stands, or a word on what is being done."""

    step: str
    kind: Literal["slots", "draft", "note"]
    slots: tuple[Slot, ...] = ()
    blocks: tuple[Block, ...] = ()
    text: str = ""


def nothing() -> None:
    """Nobody counts."""


@dataclass(frozen=True)
class Watch:
    """Whoever looks on, and the step that is shown to them."""

    show: Callable[[Frame], None]
    step: str = ""
    event_came: Callable[[], None] = nothing  # that an event came: frames stand between events

    def during(self, step: str) -> Watch:
        return replace(self, step=step)

    def slots(self, *slots: Slot) -> None:
        self.show(Frame(step=self.step, kind="slots", slots=slots))

    def draft(self, draft: Draft) -> None:
        self.show(Frame(step=self.step, kind="draft", blocks=draft.blocks))

    def note(self, text: str) -> None:
        self.show(Frame(step=self.step, kind="note", text=text))
