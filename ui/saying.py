"""Words for a person on standard error, rows for a program on standard output, and files in both directions."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import streams
from .folding import folded

if TYPE_CHECKING:
    from palimpsest.workflows.config import Config
    from palimpsest.workflows.runs import Run


WIDTH = 80  # cells of a terminal that does not tell how wide it is


def reason(error: OSError) -> str:
    """What the system says, and of which file; an OSError that the system did not make is a fault of ours, and is raised again."""
    if error.strerror is None:
        raise error
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def print_json(row: str) -> None:
    """A line of JSON; where the output lacks letters they are escaped, and nothing is lost."""
    print(row if streams.can_encode(row) else streams.escaped_json(row), flush=True)


def body(report: str) -> str:
    """The report without its front matter."""
    return report.split("\n---\n", 1)[-1].strip("\n")


def for_reader(report: str) -> str:
    """A report as it is printed: in a terminal with its lines broken at words, else as it lies."""
    if not sys.stdout.isatty():
        return report
    try:
        width = os.get_terminal_size(sys.stdout.fileno()).columns
    except OSError:
        width = 0
    return folded(report, width or WIDTH)


def configured(file: Path | None, **arguments: Any) -> Config:
    from palimpsest.workflows.config import Config

    return Config.load(file=file, **arguments)


def find(reference: str, out: Path | None, file: Path | None) -> Run:
    from palimpsest.workflows.runs import Run

    return Run.find(reference, configured(file, out=out).out)


def announce(found: Run) -> None:
    """Say whom a run that goes on will ask."""
    from palimpsest.workflows.web import announcement

    if hosts := announcement(found.record().config):
        say(f"research: {hosts}")


def may_leave(query: str) -> bool:
    """A person's word on a query; without a terminal to ask on, no."""
    if not sys.stdin.isatty():
        return False
    say(f"ask services: “{query}”? [y/N]")
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


def read(path: Path) -> str:
    from palimpsest.workflows.errors import USAGE, ResearchError

    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ResearchError(f"cannot read {path} ({error.strerror}); give another file", USAGE) from error
    except UnicodeDecodeError as error:
        raise ResearchError(f"{path} is not UTF-8 text; give the file as it was written", USAGE) from error


def write(path: Path, text: str) -> None:
    from palimpsest.workflows.errors import USAGE, ResearchError
    from palimpsest.workflows.runs import write

    try:
        write(path, text)
    except OSError as error:
        raise ResearchError(f"cannot write {path} ({error.strerror}); name another place", USAGE) from error
