"""Standard streams that hold in any surroundings: closed, full, unread, or of an encoding that lacks a letter."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

UNREAD = 141  # what a shell reports of a tool that was ended because nobody reads on: 128 + SIGPIPE


class OutputError(Exception):
    """Standard output takes no more; `is_unread` when that is because its reader went away, as `head` does."""

    def __init__(self, error: OSError):
        super().__init__(error.strerror or str(error))
        self.is_unread = isinstance(error, BrokenPipeError)


class Output(io.TextIOWrapper):
    """Standard output whose failures are an OutputError, once: from then on it leads nowhere, so that leaving is quiet."""

    def write(self, text: str) -> int:
        with self._failing():
            return super().write(text)

    def flush(self) -> None:
        with self._failing():
            super().flush()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            lead_nowhere(self.fileno())
            raise OutputError(error) from error


class Progress(io.TextIOWrapper):
    """Standard error that nothing depends on: a run does not end because its progress cannot be shown."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            lead_nowhere(self.fileno())
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            lead_nowhere(self.fileno())


def guard() -> None:
    """Make the process's own streams safe; those that somebody put in their place (a test, a notebook) are left alone."""
    for number in (0, 1, 2):
        _fill(number)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _rewrapped(sys.stdout, 1, Output, "replace")
    if sys.stderr is sys.__stderr__:
        sys.stderr = _rewrapped(sys.stderr, 2, Progress, "backslashreplace")


def _fill(number: int) -> None:
    """A closed stream gets a descriptor that leads nowhere; else the next file that is opened would get its number, and what is
    printed would be written into that file."""
    try:
        os.fstat(number)
    except OSError:
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != number:
            os.dup2(nowhere, number)
            os.close(nowhere)


def lead_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def _rewrapped(
    stream: io.TextIOWrapper | None, number: int, kind: type[io.TextIOWrapper], errors: str
) -> io.TextIOWrapper:
    """The stream with another way to fail. Python has None for one that was closed when it started."""
    if stream is None:
        return kind(open(number, "wb", closefd=False), "utf-8", errors)
    encoding, by_line = stream.encoding, stream.line_buffering
    return kind(stream.detach(), encoding, errors, line_buffering=by_line)


def can_encode(text: str) -> bool:
    """Whether standard output has every letter of a text."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def escaped_json(text: str) -> str:
    """JSON of the same values whose every letter is ASCII: where the output lacks letters, none needs to be replaced."""
    return re.sub(r"[^\x00-\x7f]", lambda letter: json.dumps(letter[0])[1:-1], text)


def escaped_html(text: str) -> str:
    """HTML of the same page in ASCII."""
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def typed(argument: str) -> str:
    """An argument as the person typed it, in UTF-8, where the locale (LC_ALL=C) does not say that it is."""
    try:
        return os.fsencode(argument).decode("utf-8")
    except UnicodeError:  # it is not
        return argument
