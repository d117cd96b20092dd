"""`python -m palimpsest.retrieval.http check`: verdicts from the rows alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from palimpsest.retrieval.http.check import verdicts, why_refused

OWN = Path(__file__).with_name("addresses.jsonl")  # 247 rows of the kinds that an attacker tries
PUBLIC, PRIVATE = ["93.184.215.14"], ["192.168.3.4"]


@pytest.mark.parametrize(
    "row",
    [
        {"dns": {"A": PUBLIC + PRIVATE}},
        {"dns": {"A": PUBLIC, "AAAA": ["fd00::1"]}},
        {"dns": {"A": PUBLIC, "CNAME": "db.internal"}},
        {"dns": {"A_sequence": [PUBLIC, PUBLIC, PRIVATE]}},
        {"dns": {"AAAA_sequence": [["2606:4700::1"], ["::1"]]}},
        {"dns": {"error": "SERVFAIL"}},
        {"dns": {"a.example": {"A_sequence": [PUBLIC, PRIVATE]}}},
        {"dns": {"A": []}},
        {"chain": ["https://a.example/", "https://b.example/"], "dns": {"b.example": PRIVATE}},
        {"chain": ["https://a.example/", "https://b.example/"], "dns": {"b.example": {"A": PRIVATE}}},
        {"chain": ["https://a.example/", "/b", "/a", "/b"]},
        {"chain": ["https://a.example/", *(f"/{n}" for n in range(11))]},
        {"chain": ["https://a.example/", "meta-refresh:http://[::1]/"]},
        {"chain": ["https://a.example/", "meta-refresh:http://b.example/"]},
        {"chain": ["https://a.example/", "http://a.example/"]},
        {"chain": ["https://a.example/", ""]},
    ],
)
def test_rows_to_refuse(row: dict[str, Any]) -> None:
    assert why_refused("https://a.example/", row)


@pytest.mark.parametrize(
    "row",
    [
        {"dns": {"A": PUBLIC, "AAAA": ["2606:4700::1"]}},
        {"dns": {"A": PUBLIC, "CNAME": "edge.cdn.example"}},
        {"dns": {"A_sequence": [PUBLIC, ["93.184.215.15"]]}},
        {"chain": ["https://a.example/", *(f"/{n}" for n in range(10))]},
        {"chain": ["https://a.example/", "https://bücher.example/", "c"]},
        {"chain": ["https://a.example/", "meta-refresh:https://b.example/"]},
    ],
)
def test_rows_to_allow(row: dict[str, Any]) -> None:
    assert why_refused("https://a.example/", row) is None


def test_an_operators_own_origin_is_exempt_and_no_other() -> None:
    own = "http://127.0.0.1:8888/search"
    assert why_refused(own, {"kind": "operator"}) is None
    assert why_refused("http://127.0.0.1:8889/", {}, frozenset((own,)))
    assert why_refused(own, {"kind": "operator", "chain": [own, "http://127.0.0.1:9999/"]})
    assert why_refused("https://a.example/", {"chain": ["https://a.example/", "http://10.0.0.1/"]}, frozenset((own,)))


def test_the_command_prints_a_verdict_a_line(tmp_path: Path) -> None:
    table = tmp_path / "rows.jsonl"
    table.write_text(
        '{"id": "a", "url": "http://1.1.1.1/"}\n\n{"id": "b", "url": "http://0177.1/", "expect": "allow"}\n'
    )
    command = [sys.executable, "-m", "palimpsest.retrieval.http", "check", str(table)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["id"], row["verdict"]) for row in rows] == [("a", "allow"), ("b", "refuse")]
    assert all(row["reason"] for row in rows)
    table.write_text("{}\n")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "line 1" in done.stderr


@pytest.mark.parametrize("table", [OWN, os.environ.get("PALIMPSEST_ADDRESSES")])
def test_a_whole_table_without_a_connection(table: Path | str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if table is None:
        pytest.skip("another table of addresses: PALIMPSEST_ADDRESSES=FILE with id, url and expect in each row")
    path, made = Path(table), list[Any]()
    monkeypatch.setattr("socket.socket.connect", lambda *place: made.append(place))
    monkeypatch.setattr("socket.getaddrinfo", lambda *name, **how: made.append(name))
    expected = {r["id"]: r["expect"].split("-")[0] for r in map(json.loads, path.read_text("utf-8").splitlines())}
    assert {row["id"]: row["verdict"] for row in verdicts(path)} == expected
    assert made == []
