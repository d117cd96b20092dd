"""Frames of a run as a file beside its log: what a page or a player shows of a draft while it is denoised.

They are for eyes: not sealed, bounded, and a run without them is whole. One JSON object a line; whoever looks on reads from where
they stopped (`read`) and lays each line over what they saw (`fold`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from pydantic import Field, ValidationError

from palimpsest.agent.draft import Block, Draft
from palimpsest.agent.frames import Frame, Slot
from palimpsest.retrieval.types import Frozen

from .runs import Run

LIMIT = 8_000_000  # bytes of a run's frames
Show = Callable[[Frame], None]


class Line(Frozen):
    """A frame as it is written. `n` counts from 0 in the file, `after` are the events before it, `at` seconds of its process.

    A draft's line holds only the `blocks` that changed, and in `order` the ids of all.
    """

    n: int
    version: int
    after: int
    at: float
    step: str
    kind: Literal["slots", "draft", "note", "full"]
    slots: tuple[Slot, ...] = ()
    order: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()
    text: str = ""


class View(Frozen):
    """What is seen at one moment: the draft, the slots under way by their spans, and what is being done."""

    n: int = -1
    version: int = 0
    after: int = 0
    step: str = ""
    note: str = ""
    blocks: tuple[Block, ...] = ()
    slots: dict[str, Slot] = Field(default_factory=dict)

    @property
    def draft(self) -> Draft:
        return Draft(blocks=self.blocks)


class FrameLog:
    """Writes the frames of one version, and shows them to whoever looks on in this process. What cannot be written is not seen."""

    def __init__(self, run: Run, version: int, show: Show | None = None):
        self._file, self._version, self._watcher = run.frames_file, version, show
        self._begun = time.monotonic()
        self._shown: dict[str, Block] = {}
        self._order: tuple[str, ...] = ()
        self._n, self._size = _extent(run)
        self.events = 0  # that came so far, those included which the log has still to be given

    def event_came(self) -> None:
        """An event came."""
        self.events += 1

    def show(self, frame: Frame) -> None:
        if self._watcher:
            self._watcher(frame)
        if self._size >= LIMIT:
            return
        if frame.kind != "draft":
            self._write(frame.step, frame.kind, slots=frame.slots, text=frame.text)
            return
        changed = tuple(b for b in frame.blocks if (old := self._shown.get(b.id)) is not b and old != b)
        order = tuple(b.id for b in frame.blocks)
        if changed or order != self._order:
            self._shown, self._order = {b.id: b for b in frame.blocks}, order
            self._write(frame.step, "draft", order=order, blocks=changed)

    def note(self, step: str, text: str) -> None:
        self.show(Frame(step=step, kind="note", text=text))

    def _write(self, step: str, kind: str, **content: object) -> None:
        at = round(time.monotonic() - self._begun, 3)
        head = {"n": self._n, "version": self._version, "after": self.events, "at": at, "step": step, "kind": kind}
        line = Line.model_validate({**head, **content})
        data = (line.model_dump_json(exclude_defaults=True) + "\n").encode()
        if self._size + len(data) > LIMIT:
            data = (
                Line.model_validate({**head, "kind": "full"}).model_dump_json(exclude_defaults=True) + "\n"
            ).encode()
            self._size = LIMIT
        try:
            with self._file.open("ab") as out:
                out.write(data)
        except OSError:  # no room, or no right: a run does not end for want of something to look at
            self._size = LIMIT
        self._n, self._size = self._n + 1, self._size + len(data)


def _extent(run: Run) -> tuple[int, int]:
    """How many lines there are, and bytes; a line that a kill cut off is closed."""
    try:
        data = run.frames_file.read_bytes()
        if data and not data.endswith(b"\n"):
            with run.frames_file.open("ab") as out:
                out.write(b"\n")
    except FileNotFoundError:
        return 0, 0
    except OSError:
        return 0, LIMIT
    return data.count(b"\n") + (not data.endswith(b"\n")), len(data)


def read(run: Run, offset: int = 0) -> tuple[list[Line], int]:
    """The whole lines from a byte `offset` on, and where to read next; what is no frame is passed over."""
    try:
        with run.frames_file.open("rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return [], offset
    whole, _, rest = data.rpartition(b"\n")
    lines = [found for line in whole.split(b"\n") if (found := _parsed(line))]
    return lines, offset + len(data) - len(rest)


def _parsed(line: bytes) -> Line | None:
    try:
        return Line.model_validate(json.loads(line))
    except (ValueError, ValidationError, RecursionError):
        return None


def fold(view: View, lines: Iterable[Line]) -> View:
    """The view after these lines: a draft settles what was under way, slots lie over the draft."""
    for line in lines:
        change: dict[str, object] = {
            "n": line.n, "version": line.version, "after": line.after, "step": line.step, "note": line.text,
        }  # fmt: skip
        if line.kind == "draft":
            held = {b.id: b for b in (*view.blocks, *line.blocks)}
            change |= {"blocks": tuple(held[name] for name in line.order if name in held), "slots": {}}
        elif line.kind == "slots":
            change["slots"] = {**view.slots, **{slot.span: slot for slot in line.slots}}
        view = view.model_copy(update=change)
    return view


def history(run: Run) -> Iterator[View]:
    """Every view of a run, the oldest first."""
    view = View()
    for line in read(run)[0]:
        view = fold(view, [line])
        yield view
