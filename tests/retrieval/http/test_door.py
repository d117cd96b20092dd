"""The door over a loopback internet whose services are honest, slow, broken or hostile."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import stamina

from palimpsest.retrieval.http import Ask, Border, Door, Guard, Rate
from palimpsest.retrieval.http.door import retry_after
from palimpsest.retrieval.outcomes import Failed, Limited, Offline, Refused, SourceError
from tests import internet
from tests.internet import Internet, Reply, always, in_turn, paths

FAST = Rate(0.0, 4)
URL = "https://a.example/x"


@pytest.fixture
def net() -> Iterator[Internet]:
    with internet.running() as made:
        yield made


@pytest.fixture(autouse=True)
def _no_waiting_between_attempts() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


def ask(url: str = URL, **how: object) -> Ask:
    return Ask(url, **{"rate": FAST, "attempts": 1, "seconds": 10.0, **how})  # type: ignore[arg-type]


def outcome(door: Door, asked: Ask) -> SourceError:
    with pytest.raises(SourceError) as caught:
        door.get(asked)
    return caught.value


def test_a_page_comes_with_its_address_type_hash_and_day(net: Internet) -> None:
    net.hosts["a.example"] = always(
        Reply(b"hello", media_type="Text/HTML; charset=x", headers=(("Set-Cookie", "a=1"),))
    )
    with net.door() as door:
        page = door.get(ask())
        door.get(ask())
    assert (page.body, page.media_type, page.url, page.status) == (b"hello", "text/html", URL, 200)
    assert page.sha256 == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert all("cookie" not in request.headers for request in net.asked("a.example"))


def test_who_asks_is_told_with_one_contact(net: Internet) -> None:
    net.hosts["a.example"] = always(Reply(b"x"))
    with net.door() as door:
        door.get(ask())
    assert "mailto:tests@palimpsest.example" in net.asked("a.example")[0].headers["user-agent"]


def test_offline_asks_nothing_not_even_for_the_name(net: Internet) -> None:
    net.hosts["a.example"] = always(Reply(b"x"))
    with net.door("offline") as door:
        assert isinstance(outcome(door, ask()), Offline)
    assert (net.resolved, net.dialled) == ([], [])
    assert Border().reach == "offline"


def test_only_allowed_hosts_are_asked(net: Internet) -> None:
    net.hosts["a.example"] = net.hosts["b.example"] = always(Reply(b"x"))
    with net.door(hosts=frozenset(("b.example",))) as door:
        door.get(ask("https://b.example/"))
        assert outcome(door, ask()).cause == "not allowed"
    assert net.asked("a.example") == []


def test_the_connection_goes_to_the_checked_address_whatever_dns_says_next(net: Internet) -> None:
    """Rebinding: the name is public when checked and private a moment later. It is resolved once a connection, and never again."""
    net.hosts["a.example"] = always(Reply(b"x"))
    net.answers["a.example"] = [["93.184.215.14"], ["127.0.0.1"]]
    with net.door() as door:
        door.get(ask())
        assert net.dialled == [("93.184.215.14", 443)]
        refusal = outcome(door, ask())
    assert refusal.cause == "address"
    assert net.resolved == ["a.example", "a.example"]
    assert len(net.dialled) == 1


@pytest.mark.parametrize("answers", [["93.184.215.14", "10.0.0.1"], ["::1"], ["64:ff9b::7f00:1"], ["169.254.169.254"]])
def test_a_public_name_with_a_private_answer_is_never_connected_to(net: Internet, answers: list[str]) -> None:
    net.hosts["a.example"] = always(Reply(b"x"))
    net.answers["a.example"] = [answers]
    with net.door() as door:
        assert isinstance(outcome(door, ask()), Refused)
    assert net.dialled == []


def test_every_redirect_is_checked_and_secrets_stay_behind(net: Internet) -> None:
    net.hosts["a.example"] = always(Reply(status=302, headers=(("Location", "https://b.example/y"),)))
    net.hosts["b.example"] = in_turn([Reply(b"there"), Reply(status=301, headers=(("Location", "http://127.0.0.1/"),))])
    with net.door() as door:
        page = door.get(ask(secret=(("authorization", "Bearer s3cret"),)))
        assert (page.url, page.asked) == ("https://b.example/y", URL)
        assert outcome(door, ask("https://b.example/z")).cause == "address"
    assert net.asked("a.example")[0].headers["authorization"] == "Bearer s3cret"
    assert "authorization" not in net.asked("b.example")[0].headers
    assert {host for host, _ in net.dialled} == {
        str(net.resolve(h, 443).addresses[0]) for h in ("a.example", "b.example")
    }


def test_loops_downgrades_and_meta_refresh(net: Internet) -> None:
    net.hosts["a.example"] = paths(
        {
            "/loop": Reply(status=302, headers=(("Location", "/loop"),)),
            "/down": Reply(status=302, headers=(("Location", "http://a.example/"),)),
            "/nowhere": Reply(status=302),
            "/slashes": Reply(status=302, headers=(("Location", "///10.0.0.1/"),)),
            "/inner": Reply(b'<meta http-equiv=refresh content="0;url=http://10.0.0.1/">', media_type="text/html"),
            "/onward": Reply(b'<meta http-equiv="Refresh" content="1; URL=/end">', media_type="text/html"),
            "/end": Reply(b"<p>end</p>", media_type="text/html"),
        }
    )
    with net.door() as door:
        for name in ("loop", "down", "nowhere", "slashes"):
            assert isinstance(outcome(door, ask(f"https://a.example/{name}")), Refused)
        assert door.page(ask("https://a.example/onward")).body == b"<p>end</p>"
        with pytest.raises(Refused):
            door.page(ask("https://a.example/inner"))
    assert all(place[0].startswith("93.184.") for place in net.dialled)


def test_tls_must_prove_the_name(net: Internet) -> None:
    net.hosts["a.example"] = always(Reply(b"x"))
    stranger = internet.Internet(net.hosts, ports=net.ports)
    with stranger.door() as door:
        assert outcome(door, ask()).cause == "tls"


@pytest.mark.parametrize(
    ("reply", "kind", "cause"),
    [
        (Reply(status=403), Refused, "gate"),
        (Reply(status=401), Refused, "key"),
        (Reply(status=402), Refused, "paywall"),
        (Reply(status=404), Failed, "missing"),
        (Reply(status=400), Failed, "status"),
        (Reply(status=500), Failed, "server"),
        (Reply(status=429, headers=(("Retry-After", "120"),)), Limited, "rate"),
        (Reply(status=503, headers=(("Retry-After", "60"),)), Limited, "rate"),
        (Reply(status=403, headers=(("cf-mitigated", "challenge"),)), Refused, "gate"),
        (Reply(b"%PDF-1.4", media_type="application/pdf"), Failed, "type"),
        (Reply(raw=(b"HTTP/1.1 200 x\r\nContent-Type: text/html\r\nContent-Length: 900\r\n\r\nshort",)), Failed, "cut"),
        (
            Reply(raw=(b"HTTP/1.1 200 x\r\nContent-Type: text/html\r\nContent-Length: 99999999\r\n\r\n",)),
            Failed,
            "large",
        ),
        (Reply(raw=(b"nothing like HTTP\r\n\r\n",)), Failed, "cut"),
        (Reply(raw=(b"",)), Failed, "cut"),
        (
            Reply(gzip.compress(b"x" * 90_000_000), media_type="text/html", headers=(("Content-Encoding", "gzip"),)),
            Failed,
            "large",
        ),
        (
            Reply(gzip.compress(b"x" * 999)[:-9], media_type="text/html", headers=(("Content-Encoding", "gzip"),)),
            Failed,
            "cut",
        ),
        (Reply(b"no zip at all", media_type="text/html", headers=(("Content-Encoding", "gzip"),)), Failed, "cut"),
        (Reply(b"x", media_type="text/html", headers=(("Content-Encoding", "gzip, gzip"),)), Failed, "type"),
    ],
)
def test_every_bad_answer_has_its_own_name(net: Internet, reply: Reply, kind: type[SourceError], cause: str) -> None:
    net.hosts["a.example"] = always(reply)
    with net.door() as door:
        error = outcome(door, ask(accept=("text/html",), max_bytes=2_000_000))
    assert (type(error), error.cause) == (kind, cause)
    failure = error.failure("a")
    assert (failure.kind, failure.cause, bool(failure.until)) == (kind.kind, cause, kind is Limited)
    assert failure.message.endswith(".")


def test_packed_answers_are_unpacked(net: Internet) -> None:
    net.hosts["a.example"] = always(Reply(gzip.compress(b"words " * 99), headers=(("Content-Encoding", "gzip"),)))
    with net.door() as door:
        assert door.get(ask()).body == b"words " * 99


def test_no_such_name_and_nobody_there(net: Internet) -> None:
    net.answers["dead.example"] = [["93.184.1.1"]]
    net.ports[80] = 9  # nobody listens at the discard port of a test machine
    with net.door() as door:
        assert outcome(door, ask("https://unknown.example/")).cause == "dns"
        assert outcome(door, ask("http://dead.example/")).cause == "unreachable"


HEAD = b"HTTP/1.1 200 x\r\nContent-Type: text/html\r\n"


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        ((HEAD, *[b"X-%d: %s\r\n" % (n, b"a" * 900) for n in range(2000)]), "cut"),
        ((HEAD + b"X: " + b"a" * 5_000_000,), "cut"),
        ((b"HTTP/1.1 103 x\r\nLink: a\r\n\r\n",) * 50_000, "cut"),
        ((HEAD + b"Content-Length: -5\r\n\r\nx",), "cut"),
        ((HEAD + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\nxxxxxxxxx",), "cut"),
        ((HEAD + b"Content-Length: 0x10\r\n\r\nx",), "cut"),
        ((HEAD + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n", *[b"a" * 65536] * 60), "large"),
        ((HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[b"2\r\naa\r\n"] * 600_000), "large"),
        ((HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n",), "cut"),
        ((HEAD + b"\r\n", *[b"a" * 65536] * 60), "large"),
    ],
)
def test_floods_and_wrong_lengths_end_small_and_soon(net: Internet, raw: tuple[bytes, ...], cause: str) -> None:
    net.hosts["a.example"] = always(Reply(raw=raw))
    begun = time.monotonic()
    with net.door() as door:
        assert outcome(door, ask("http://a.example/", max_bytes=1_000_000, seconds=5.0)).cause in (cause, "timeout")
    assert time.monotonic() - begun < 20


def test_more_bytes_than_were_promised_are_not_read_as_another_answer(net: Internet) -> None:
    """What follows an answer on its connection is nobody's answer, whoever asks next."""
    smuggled = b"HTTP/1.1 200 x\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nevil"
    net.hosts["a.example"] = in_turn([Reply(raw=(HEAD + b"Content-Length: 4\r\n\r\ngood" + smuggled,)), Reply(b"next")])
    with net.door() as door:
        assert door.get(ask("http://a.example/1")).body == b"good"
        assert door.get(ask("http://a.example/2")).body == b"next"


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 x\r\nContent-Length: 100\r\n\r\n", b"HTTP/1.1 200 x\r\nX: "])
def test_an_answer_that_drips_ends_at_the_deadline(net: Internet, head: bytes) -> None:
    """A byte every 0.1 s never runs into a read timeout; the whole request has one."""
    net.hosts["a.example"] = always(Reply(raw=(head, *[b"a"] * 100), pause=0.1))
    begun = time.monotonic()
    with net.door() as door:
        assert outcome(door, ask(seconds=0.6)).cause == "timeout"
    assert time.monotonic() - begun < 5


def test_what_is_worth_another_attempt_gets_one(net: Internet) -> None:
    cut = Reply(raw=(b"HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\n",))
    net.hosts["a.example"] = in_turn([Reply(status=502), cut, Reply(b"at last")])
    net.hosts["b.example"] = in_turn([Reply(status=404), Reply(b"never asked for")])
    net.hosts["c.example"] = in_turn([Reply(status=429, headers=(("Retry-After", "1"),)), Reply(b"after a second")])
    with net.door() as door:
        assert door.get(ask(attempts=3)).body == b"at last"
        assert outcome(door, ask("https://b.example/", attempts=3)).cause == "missing"
        begun = time.monotonic()
        assert door.get(ask("https://c.example/", attempts=3)).body == b"after a second"
    assert time.monotonic() - begun >= 0.9
    assert len(net.asked("b.example")) == 1


def test_a_host_that_asks_for_patience_is_left_alone_by_everyone(net: Internet) -> None:
    net.hosts["a.example"] = always(Reply(status=429, headers=(("Retry-After", "300"),)))
    with net.door() as door:
        for _ in range(4):
            assert isinstance(outcome(door, ask()), Limited)
    assert len(net.asked("a.example")) == 1


def test_a_host_that_is_down_is_left_alone_after_three_failures(net: Internet) -> None:
    net.hosts["a.example"] = always(Reply(status=500))
    with net.door() as door:
        causes = [outcome(door, ask()).cause for _ in range(5)]
    assert causes == ["server"] * 3 + ["down"] * 2
    assert len(net.asked("a.example")) == 3


def test_a_host_is_asked_by_so_many_at_once_and_so_far_apart(net: Internet) -> None:
    under_way, most = [0], [0]

    def slowly(request: internet.Request) -> Reply:
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        time.sleep(0.05)
        under_way[0] -= 1
        return Reply(b"x")

    net.hosts["a.example"] = slowly
    begun = time.monotonic()
    with net.door() as door:
        threads = [threading.Thread(target=door.get, args=(ask(rate=Rate(0.1)),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert most == [1]
    assert time.monotonic() - begun >= 0.3


def test_robots_txt_is_kept(net: Internet) -> None:
    rules = (
        b"User-agent: *\nDisallow: /private\nDisallow: /*.pdf$\n\nUser-agent: palimpsest-research\nDisallow: /mine\n"
    )
    net.hosts["a.example"] = paths(
        {"/robots.txt": Reply(rules, media_type="text/plain"), "/x": Reply(b"x"), "/private": Reply(b"p")}
    )
    net.hosts["b.example"] = paths({"/x": Reply(b"x")})
    net.hosts["c.example"] = always(Reply(status=500))
    with net.door() as door:
        assert door.get(ask(robots=True)).body == b"x"
        assert outcome(door, ask("https://a.example/mine/y", robots=True)).cause == "robots"
        assert door.get(ask("https://b.example/x", robots=True)).body == b"x"
        unreadable = outcome(door, ask("https://c.example/x", robots=True))
        assert (type(unreadable), unreadable.cause) == (Failed, "robots")
        assert isinstance(outcome(door, ask("https://a.example/mine", robots=True)), Refused)
    assert [r.path for r in net.asked("a.example")] == ["/robots.txt", "/x"]


def test_answers_are_cached_validated_and_replayed(net: Internet, tmp_path: Path) -> None:
    def validated(request: internet.Request) -> Reply:
        if request.headers.get("if-none-match") == '"1"':
            return Reply(status=304, headers=(("ETag", '"1"'),))
        return Reply(b"first", headers=(("ETag", '"1"'), ("Cache-Control", "no-cache")))

    net.hosts["a.example"], net.hosts["b.example"] = validated, always(Reply(b"plain"))
    secret = (("authorization", "Bearer s3cret"),)
    with net.door(cache=tmp_path) as door:
        assert [door.get(ask(secret=secret)).body for _ in range(2)] == [b"first"] * 2
        assert [door.get(ask("https://b.example/")).body for _ in range(2)] == [b"plain"] * 2
    assert "if-none-match" in net.asked("a.example")[1].headers
    assert len(net.asked("b.example")) == 1
    with net.door("replay", cache=tmp_path) as door:
        assert door.get(ask()).body == b"first"
        assert isinstance(outcome(door, ask("https://b.example/other")), Offline)
        assert door.get(ask("https://b.example/", robots=True)).body == b"plain"
    assert len(net.asked("b.example")) == 1
    assert b"s3cret" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    "reply", [Reply(status=403), Reply(b"x", 404), Reply(b"x", headers=(("Cache-Control", "no-store"),))]
)
def test_what_must_not_be_kept_is_not(net: Internet, tmp_path: Path, reply: Reply) -> None:
    net.hosts["a.example"] = always(reply)
    with net.door(cache=tmp_path) as door:
        for _ in range(2):
            door.get(ask(answers=(403, 404)))
    assert len(net.asked("a.example")) == 2


def test_an_answer_that_was_none_can_be_forgotten(net: Internet, tmp_path: Path) -> None:
    net.hosts["a.example"] = in_turn([Reply(b"prove that you are human"), Reply(b"the article")])
    with net.door(cache=tmp_path) as door:
        door.get(ask())
        door.forget(URL)
        assert door.get(ask()).body == b"the article"


def test_an_operators_service_may_be_local_and_nothing_that_it_points_to(net: Internet) -> None:
    """The exemption is for asking the service itself: a result, a page or a redirect that leads there would ask in its name."""
    net.hosts["127.0.0.1"] = in_turn(
        [Reply(b"{}"), Reply(status=302, headers=(("Location", "/search?page=2"),)), Reply(b"[]")]
    )
    net.hosts["a.example"] = always(Reply(status=302, headers=(("Location", "http://127.0.0.1:8888/config"),)))
    net.hosts["b.example"] = always(
        Reply(b'<meta http-equiv=refresh content="0;url=http://127.0.0.1:8888/">', media_type="text/html")
    )
    net.ports[8888] = net.ports[80]
    guard = Guard(operators=frozenset((("http", "127.0.0.1", 8888),)), resolve=net.resolve)
    with net.door(guard=guard) as door:
        assert door.get(ask("http://127.0.0.1:8888/search", own=True)).body == b"{}"
        assert door.get(ask("http://127.0.0.1:8888/search", own=True)).body == b"[]"
        for url in ("http://127.0.0.1:8888/config", "http://127.0.0.1/", "http://127.0.0.1:8889/", "http://a.example/"):
            assert outcome(door, ask(url, own="a." in url)).cause == "address"
        with pytest.raises(Refused, match="a service of your own"):
            door.page(ask("http://b.example/"))
    assert len(net.asked("127.0.0.1")) == 3


def test_a_name_of_an_operators_host_is_not_exempt_by_another_scheme(net: Internet) -> None:
    net.answers["searx.example"] = [["192.168.1.5"]]
    guard = Guard(operators=frozenset((("http", "searx.example", 80),)), resolve=net.resolve)
    with net.door(guard=guard) as door:
        assert outcome(door, ask("https://searx.example:80/")).cause == "address"
    assert net.dialled == []


def test_what_is_private_goes_on_the_wire_and_into_no_cache_or_error(net: Internet, tmp_path: Path) -> None:
    net.hosts["a.example"] = in_turn([Reply(b"x"), Reply(status=404)])
    with net.door(cache=tmp_path) as door:
        page = door.get(ask(f"{URL}?doi=1", private=(("email", "me@x.example"),)))
        error = outcome(door, ask(f"{URL}?doi=2", private=(("email", "me@x.example"),)))
    assert [request.query["email"] for request in net.asked("a.example")] == ["me@x.example"] * 2
    assert "me" not in page.url.partition("?")[2] + str(error).partition("?")[2] + error.where.partition("?")[2]
    assert "mailto:tests@" in net.asked("a.example")[0].headers["user-agent"]
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"doi=1" in kept
    assert b"tests@" not in kept
    assert b"me@" not in kept
    assert b"me%40" not in kept


def test_a_resolver_that_does_not_answer_ends_at_the_deadline(net: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    silence = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *given, **more: silence.wait(20))
    begun = time.monotonic()
    with net.door(guard=Guard()) as door:
        assert outcome(door, ask(seconds=0.3)).cause == "timeout"
    assert time.monotonic() - begun < 5
    silence.set()


@pytest.mark.parametrize(
    ("value", "seconds"), [("5", 5.0), ("soon", None), (None, None), ("", None), ("999999999", 86400.0)]
)
def test_retry_after_in_seconds(value: str | None, seconds: float | None) -> None:
    assert retry_after(value) == seconds


def test_retry_after_as_a_date() -> None:
    assert retry_after("Wed, 01 Jan 2020 00:00:00 GMT") == 0.0
    assert (retry_after("Fri, 01 Jan 2100 00:00:00 GMT") or 0) == 86400.0


def test_the_transport_really_is_behind_the_guard() -> None:
    """httpx has no public hook for this; a new version that renamed the private one would connect past the guard."""
    from palimpsest.retrieval.http.network import PinnedBackend, transport

    made = transport(Guard())
    assert isinstance(made, httpx.HTTPTransport)
    assert isinstance(made._pool._network_backend, PinnedBackend)
