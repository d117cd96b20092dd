"""What a person asks of the next version of a report, as a value: it is written into the run and sealed with it."""

from __future__ import annotations

from palimpsest.retrieval.types import Frozen


class Edit(Frozen):
    """A person's words in the place of a span or of a whole block, by its id."""

    span: str
    words: str


class Steering(Frozen):
    """Ids of spans or blocks to open, to pin and to let go again; words of the person's own; sources, by id, that count no more;
    and a question that follows on the report.
    """

    reopen: tuple[str, ...] = ()
    pin: tuple[str, ...] = ()
    unpin: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    ban: tuple[str, ...] = ()
    question: str = ""

    @property
    def named(self) -> tuple[str, ...]:
        """Every span and block that is spoken of."""
        return (*self.reopen, *self.pin, *self.unpin, *(e.span for e in self.edits))

    def __bool__(self) -> bool:
        return self != NOTHING


NOTHING = Steering()
