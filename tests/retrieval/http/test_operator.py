"""The client for a server that the person named reaches that server and no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from palimpsest.retrieval.http import operator
from palimpsest.retrieval.outcomes import Refused
from tests import internet
from tests.internet import Internet, Reply, always


@pytest.fixture
def net() -> Iterator[Internet]:
    with internet.running() as made:
        yield made


def test_a_server_on_this_machine_is_reached_by_its_own_port(net: Internet) -> None:
    net.hosts["127.0.0.1"] = always(Reply(b'{"model": "m"}'))
    with operator.client(f"http://127.0.0.1:{net.ports[80]}/") as client:
        assert client.get("/health").json() == {"model": "m"}


def test_no_other_host_is_reached_and_no_redirect_followed(net: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    net.hosts["127.0.0.1"] = always(Reply(status=302, headers=(("Location", "http://10.0.0.1/"),)))
    with operator.client(f"http://127.0.0.1:{net.ports[80]}") as client:
        assert client.get("/health").status_code == 302
        with pytest.raises(Refused):
            client.get("http://127.0.0.1:1/")


def test_an_address_that_cannot_be_read_in_one_way_is_refused() -> None:
    with pytest.raises(Refused):
        operator.client("http://user:secret@model.example:8321")
