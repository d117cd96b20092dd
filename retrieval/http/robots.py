"""robots.txt, kept: each origin's file is asked for once and read by protego."""

from __future__ import annotations

import threading
from collections.abc import Callable

from protego import Protego

from ..outcomes import Failed, Refused, SourceError
from .address import Address

AGENT = "palimpsest-research"
MAX_BYTES = 512 * 1024
MAX_DELAY = 30.0  # seconds; a site that wants more between two requests is left alone


class Robots:
    """The rules of every origin met so far. `fetch` gives a robots.txt as text, "" where there is none."""

    def __init__(self, fetch: Callable[[str], str]):
        self.fetch = fetch
        self._rules: dict[str, Protego | SourceError] = {}
        self._lock = threading.Lock()

    def check(self, target: Address) -> float:
        """The seconds that the site wants between two requests; Refused where it does not want to be read by programs."""
        rules = self._of(target)
        if isinstance(rules, SourceError):
            raise Failed(
                f"{target.host} was not read, because its robots.txt could not be: {rules}",
                cause="robots",
                where=target.url,
            )
        delay = float(rules.crawl_delay(AGENT) or 0.0)
        if not rules.can_fetch(target.url, AGENT) or delay > MAX_DELAY:
            raise Refused(f"{target.url} is closed to programs by its robots.txt.", cause="robots", where=target.url)
        return delay

    def _of(self, target: Address) -> Protego | SourceError:
        origin = target.url[: target.url.index("/", len(target.scheme) + 3)]
        with self._lock:
            known = self._rules.get(origin)
        if known is None:
            known = self._ask(f"{origin}/robots.txt")
            with self._lock:
                self._rules[origin] = known
        return known

    def _ask(self, url: str) -> Protego | SourceError:
        try:
            return Protego.parse(self.fetch(url))
        except SourceError as exc:
            return exc
