"""A run as it goes on: events as lines, as JSON or on a live screen; at its end the report."""

from __future__ import annotations

import shlex
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from . import streams
from .folding import fold
from .saying import body, for_reader, print_json, reason, say, write

if TYPE_CHECKING:
    from palimpsest.agent.state import Event
    from palimpsest.workflows.frames import Show
    from palimpsest.workflows.runs import Run


Begin = Callable[["Show | None"], "Generator[Event, None, None]"]


def follow(
    begin: Begin,
    as_json: bool,
    quiet: bool,
    mend: str,
    made: list[Run] | None = None,
    seal: Path | None = None,
) -> None:
    """Show what begins as it goes on; at the end the report, unless events are what was asked for.

    `begin` is given whoever looks on, or None. `mend` is the command that goes on after an interruption; a run that is only begun is
    put into `made` when it has a folder, and before that there is nothing to go on with.
    """
    runs = made if made is not None else []
    last: Event | None = None
    try:
        # Closed at once: a graph that is left in the middle keeps a thread, and the process would wait for it for ever.
        with _shown(as_json, quiet) as (show, watch), closing(begin(watch)) as events, _stoppable(runs):
            for event in events:
                last = event
                show(event)
    except (KeyboardInterrupt, OSError, streams.OutputError) as error:
        _stop(error, mend if runs or last is not None else "give the same command again")
    if last is not None and last.kind == "finished":
        _end(last, as_json, seal)


def _end(last: Event, as_json: bool, seal: Path | None) -> None:
    """The report of a run that came to its end, and the exit code of one that was made to."""
    from palimpsest.workflows.errors import BUDGET

    report = Path(last.data["report"])
    if seal:
        write(seal, f"{last.data['seal']}\n")
    if not as_json:
        print_report(report)
    if last.data.get("stopped") == "budget":
        say("research: the time budget was spent; the report holds what was known by then")
        raise SystemExit(BUDGET)
    if last.data.get("stopped") == "stopped":
        again = f"research resume {shlex.quote(str(last.data['folder']))}"
        say(f"research: stopped; the report holds what was known by then. Go on with: {again}")
        raise SystemExit(BUDGET)


@contextmanager
def _stoppable(runs: Sequence[Run]) -> Iterator[None]:
    """SIGTERM asks for a usable report; a second one, or one before there is a run, ends the process as Ctrl-C does."""

    def stop(*_: object) -> None:
        if not runs or runs[-1].is_stop_asked():
            raise KeyboardInterrupt
        runs[-1].ask_to_stop()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(error: KeyboardInterrupt | OSError | streams.OutputError, mend: str) -> NoReturn:
    """Say why a run stopped in the middle, and how it goes on."""
    from palimpsest.workflows.errors import FAILED

    if isinstance(error, KeyboardInterrupt):
        say(f"research: stopped; nothing is lost. Go on with: {mend}")
        raise SystemExit(130) from None
    if isinstance(error, OSError):
        say(f"research: {reason(error)}; mend that, then go on with: {mend}")
    elif error.is_unread:
        raise error
    else:
        say(f"research: standard output cannot be written: {error}; nothing is lost, go on with: {mend}")
    raise SystemExit(FAILED) from error


def print_report(report: Path) -> None:
    """The report, and where it lies; SystemExit 1 when it cannot be printed: it is kept."""
    from palimpsest.workflows.errors import FAILED

    try:
        print(for_reader(body(report.read_text(encoding="utf-8"))), flush=True)
    except streams.OutputError as error:
        if error.is_unread:
            raise
        say(f"research: standard output cannot be written: {error}; the report is kept: {report}")
        raise SystemExit(FAILED) from error
    say(f"report: {report}")


@contextmanager
def _shown(as_json: bool, quiet: bool) -> Iterator[tuple[Callable[[Event], None], Show | None]]:
    """Where events and frames go: events as JSON to standard output, or as lines beside it; in a terminal both, as a live screen."""
    if as_json:
        yield (lambda event: print_json(event.model_dump_json())), None
    elif quiet:
        yield (lambda event: None), None
    elif not sys.stderr.isatty():
        yield (lambda event: say(line(event))), None
    else:
        with _screen() as shown:
            yield shown


@contextmanager
def _screen() -> Iterator[tuple[Callable[[Event], None], Show | None]]:
    """Lines above, the draft below; a terminal that cannot move its cursor gets the lines."""
    from rich.console import Console
    from rich.text import Text

    from .live import screen

    console = Console(stderr=True, highlight=False)

    def show_event(event: Event) -> None:
        shown = fold(said(event), console.width, *_ahead(event))
        # A style of `print` would colour the draft below as well, for the moment until it is drawn anew.
        console.print(Text(shown, style=_COLOURS.get(event.kind, "")), soft_wrap=True)

    if console.is_dumb_terminal:
        yield show_event, None
        return
    with screen(console) as (shown, _):

        def show(event: Event) -> None:
            show_event(event)
            shown.event(event)

        yield show, shown.frame


_COLOURS = {
    "believed": "cyan",
    "wrote": "green",
    "conflict": "yellow",
    "reopened": "magenta",
    "revised": "bold green",
    "rolled back": "yellow",
    "failed": "red",
    "unestablished": "red",
}


_SIGNS = {
    "searched": "?",
    "believed": "~",
    "wrote": "+",
    "conflict": "!",
    "reopened": "▢",
    "revised": "→",
    "rolled back": "←",
    "edited": "✎",
    "banned": "-",
    "asked": "?",
    "pinned": "•",
    "attached": "+",
    "stopped": "■",
}


def line(event: Event) -> str:
    return f"{_ahead(event)[0]}{said(event)}"


def said(event: Event) -> str:
    """What happened, on one line and in few words, but for the mend at the end of a failure."""
    text = " ".join(event.text.split())
    return text if event.kind == "failed" else textwrap.shorten(text, 150, placeholder=" …")


def _ahead(event: Event) -> tuple[str, str]:
    """The step and a sign, and as many blanks."""
    lead = f"{event.step:>8} {_SIGNS.get(event.kind, ' ')} "
    return lead, " " * len(lead)
