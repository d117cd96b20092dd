"""A run played again from its folder: the log's events, and between them the frames, as lines or on a live screen."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .progress import line
from .saying import print_json

if TYPE_CHECKING:
    from palimpsest.agent.frames import Slot
    from palimpsest.workflows.frames import Line
    from palimpsest.workflows.runs import Run

LONGEST = 2.0  # seconds between two frames, however long the run thought


def play(run: Run, version: int | None, speed: float, as_json: bool) -> None:
    """Play a run, or one version of it. ResearchError for a version that is not there."""
    from palimpsest.workflows.errors import USAGE, ResearchError

    numbers = [v.number for v in run.record().versions]
    if version is not None and version not in numbers:
        raise ResearchError(f"there is no version {version}; the versions are {numbers}", USAGE)
    moments = [m for m in _moments(run) if version in (None, m["version"])]
    if as_json:
        for moment in moments:
            print_json(_row(moment))
    elif sys.stdout.isatty() and sys.stderr.isatty():
        _on_screen(moments, speed)
    else:
        for moment in moments:
            for text in _lines(moment):
                print(text)


def _moments(run: Run) -> Iterator[dict[str, Any]]:
    """Events and frames in the order in which they were; of a frame it is only known which event it followed."""
    from palimpsest.workflows.frames import read

    frames = [f for f in read(run)[0] if f.kind != "full"]
    for number in dict.fromkeys(e["version"] for e in run.events()):
        events = [e for e in run.events() if e["version"] == number and e["kind"] != "sealed"]
        own = [f for f in frames if f.version == number]
        for n, event in enumerate(events):
            yield from ({"version": number, "frame": f} for f in own if f.after == n)
            yield {"version": number, "event": event}
        yield from ({"version": number, "frame": f} for f in own if f.after >= len(events))


def _row(moment: dict[str, Any]) -> str:
    import json

    if "event" in moment:
        return json.dumps({"event": moment["event"]}, ensure_ascii=False)
    return '{"frame":' + str(moment["frame"].model_dump_json(exclude_defaults=True)) + "}"


def _lines(moment: dict[str, Any]) -> Iterator[str]:
    """A moment in words: an event as the run told it; of a frame its slots, or the blocks that changed."""
    if "event" in moment:
        yield line(_event(moment["event"]))
        return
    frame: Line = moment["frame"]
    if frame.kind == "note":
        yield f"{frame.step:>8}   {frame.text}"
    for slot in frame.slots:
        yield f"{frame.step:>8} ▒ {_slot(slot)}"
    for block in frame.blocks:
        if block.text.strip():
            yield f"{frame.step:>8} · {block.id} {block.kind}: {' '.join(block.text.split())[:110]}"


def _slot(slot: Slot) -> str:
    words = " ".join(f"[{t.text}]" if t.open else t.text for t in slot.tokens)
    why = f" ({slot.reason})" if slot.reason else ""
    return f"{slot.span} {slot.kind.lower()}{why}, step {slot.turn}: {words}"


def _event(line: dict[str, Any]) -> Any:
    from palimpsest.agent.state import Event

    return Event(step=line["step"], kind=line["kind"], text=line["text"], data=line["data"])


def _on_screen(moments: list[dict[str, Any]], speed: float) -> None:
    """The screen of a run that goes on, at its own pace."""
    from rich.console import Console

    from palimpsest.agent.frames import Frame
    from palimpsest.workflows.frames import View, fold

    from .live import screen

    console, view, at = Console(highlight=False), View(), 0.0
    with screen(console) as (shown, _):
        for moment in moments:
            if "event" in moment:
                event = _event(moment["event"])
                console.print(line(event), markup=False, soft_wrap=True)
                shown.event(event)
                continue
            frame: Line = moment["frame"]
            time.sleep(min(LONGEST, max(0.0, frame.at - at)) / speed)
            at, view = frame.at, fold(view, [frame])
            kind = "slots" if frame.kind == "slots" else "draft" if frame.kind == "draft" else "note"
            shown.frame(Frame(step=frame.step, kind=kind, slots=frame.slots, blocks=view.blocks, text=frame.text))
