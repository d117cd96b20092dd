"""How a call to a service can end other than with an answer. None of these looks like another, and none looks like "nothing found"."""

from __future__ import annotations

from datetime import datetime

from .types import Failure, FailureKind, RetrievalError


class SourceError(RetrievalError):
    """A call that brought no answer. `cause` is one word for programs, `where` the address, or the place in a changed answer."""

    kind: FailureKind = "failed"

    def __init__(
        self, message: str, *, cause: str, where: str = "", until: datetime | None = None, again: bool = False
    ):
        super().__init__(message, retryable=again)
        self.cause, self.where, self.until = cause, where, until

    def failure(self, name: str) -> Failure:
        """The same as a value, for reports and events."""
        return Failure(
            name=name,
            message=str(self),
            kind=self.kind,
            cause=self.cause,
            where=self.where,
            until=self.until.isoformat(timespec="seconds") if self.until else None,
        )


class Refused(SourceError):
    """Not to be had: an unsafe address, robots.txt, a paywall, a gate that wants a person, a missing or bad key."""

    kind: FailureKind = "refused"


class Limited(SourceError):
    """The service asks for patience; `until` says for how long."""

    kind: FailureKind = "limited"


class Failed(SourceError):
    """It should have worked and did not: dns, unreachable, timeout, cut, tls, large, type, status, changed, missing, unreadable."""

    kind: FailureKind = "failed"


class Offline(SourceError):
    """The person did not allow the network; nothing was asked."""

    kind: FailureKind = "offline"


def changed(service: str, where: str, why: str) -> Failed:
    """An answer of a shape that nobody knows: never to be taken for an empty one."""
    return Failed(f"{service} answered in an unknown shape at {where}: {why}.", cause="changed", where=where)
