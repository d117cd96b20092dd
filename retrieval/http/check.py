"""Hold a table of addresses against the door, without a network: DNS answers and redirects are as the rows give them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ..outcomes import Failed, SourceError
from .address import parse_ip, read
from .door import Ask, Border, Door
from .hosts import Rate
from .network import Answer, Guard

PUBLIC = "93.184.215.14"  # what a name of a redirect chain resolves to where the row does not say
_SEQUENCES = ("A_sequence", "AAAA_sequence")


@dataclass
class Names:
    """A resolver that answers from a row. A sequence gives its next answer each time it is asked, and its last one for ever."""

    dns: Mapping[str, Any]
    by_name: Mapping[str, Any]
    fallback: tuple[str, ...]
    asked: dict[str, int] = field(default_factory=dict)

    def resolve(self, host: str, port: int) -> Answer:
        given = self.by_name.get(host, self.dns)
        records = {"A": given} if isinstance(given, list) else given
        if records.get("error"):
            raise Failed(f"{host} has no address ({records['error']}).", cause="dns", where=host)
        turn = self.asked[host] = self.asked.get(host, -1) + 1
        found = [*records.get("A", ()), *records.get("AAAA", ())]
        for key in _SEQUENCES:
            answers = records.get(key, ())
            found += answers[min(turn, len(answers) - 1)] if answers else ()
        if not records:
            found = list(self.fallback)
        return Answer(tuple(map(parse_ip, found)), str(records.get("CNAME", "")))


class Scripted(httpx.BaseTransport):
    """In place of the network: resolves and checks as a connection would, then answers with the next hop of a chain."""

    def __init__(self, guard: Guard, chain: list[str]):
        self.guard, self.chain, self.hop = guard, chain, 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii").strip("[]")
        self.guard.pinned(host, request.url.port or (443 if request.url.scheme == "https" else 80))
        self.hop += 1
        if self.hop >= len(self.chain):
            return httpx.Response(200, headers={"content-type": "text/plain"}, stream=httpx.ByteStream(b"reached"))
        return _hop(self.chain[self.hop])


def _hop(location: str) -> httpx.Response:
    if location.startswith("meta-refresh:"):
        body = f'<meta http-equiv="refresh" content="0; url={location.removeprefix("meta-refresh:")}">'.encode()
        return httpx.Response(200, headers={"content-type": "text/html"}, stream=httpx.ByteStream(body))
    headers = [(b"location", location.encode("utf-8", errors="surrogateescape"))] if location else []
    return httpx.Response(302, headers=headers, stream=httpx.ByteStream(b""))


def verdicts(path: Path, operators: frozenset[str] = frozenset()) -> Iterator[dict[str, str]]:
    """One verdict for each row of a JSON-lines table. ValueError names a line that is no row."""
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            identifier, url = str(row["id"]), str(row["url"])
        except (ValueError, KeyError, TypeError) as exc:
            raise ValueError(f"line {number} of {path} is no row with an id and a url") from exc
        reason = why_refused(url, row, operators)
        yield {"id": identifier, "verdict": "refuse" if reason else "allow", "reason": reason or "public"}


def why_refused(url: str, row: Mapping[str, Any], operators: frozenset[str] = frozenset()) -> str | None:
    """Why the door does not give the page of a row; None when it does. A row of kind "operator" is the person's own setting."""
    own = operators | ({url} if row.get("kind") == "operator" else set())
    chain = [str(place) for place in row.get("chain") or (url,)]
    dns = row.get("dns") or {}
    by_name = {name: given for name, given in dns.items() if isinstance(given, dict) or "." in name}
    records = {name: given for name, given in dns.items() if name not in by_name}
    names = Names(records, by_name, (PUBLIC,) if "chain" in row else ())
    guard = Guard(operators=frozenset(read(place).origin for place in own), resolve=names.resolve)
    tables = [records, *(given for given in by_name.values() if isinstance(given, dict))]
    times = max([len(table.get(key, ())) for table in tables for key in _SEQUENCES] + [1])
    try:
        asked = Ask(url, rate=Rate(0.0), attempts=1, own=bool(own) and read(url).origin in guard.operators)
        for _ in range(times):  # a name whose answer changes is asked as often as it changes
            with Door(Border("online"), guard, below=Scripted(guard, chain)) as door:
                door.page(asked)
    except SourceError as exc:
        return str(exc)
    return None
