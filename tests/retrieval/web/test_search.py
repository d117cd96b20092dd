"""A round of searches over a loopback internet, half of which lies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
import stamina

from palimpsest.retrieval.embed import HashEmbedder
from palimpsest.retrieval.http import Rate
from palimpsest.retrieval.loaders import document
from palimpsest.retrieval.web import services
from palimpsest.retrieval.web.rank import Ranker
from palimpsest.retrieval.web.search import Web, _after_half
from palimpsest.retrieval.web.service import Filters
from tests import internet
from tests.internet import Internet, Reply, always

from . import library


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    for name in services.SERVICES:
        monkeypatch.setattr(services.named(name), "rate", Rate(0.0, 2))
    with internet.running() as made, stamina.set_testing(True, attempts=1):
        made.hosts["en.wikipedia.org"] = library.wikipedia
        made.hosts["open.example"] = library.open_copies(1, 2)
        made.hosts["api.openalex.org"] = library.openalex(library.openalex_item(1), library.openalex_item(2))
        yield made


def web(net: Internet, *names: str, **how: Any) -> Web:
    door = net.door()
    chosen = services.choose(",".join(names), {}, {})
    return Web(door, services.open_services(chosen, door), **{"seconds": 20.0, **how})


def test_works_are_found_read_whole_and_described(net: Internet) -> None:
    found = web(net, "openalex", "wikipedia").gather([library.QUESTION])
    assert [(call.service, call.outcome, call.found) for call in found.calls] == [
        ("openalex", "found", 2),
        ("wikipedia", "found", 1),
    ]
    sources = {d.source.title: d.source for d in found.documents}
    paper = sources["Masks filled in parallel, part 1"]
    assert (paper.doi, paper.date, paper.licence, paper.extent) == ("10.1000/masks.1", "2021-01-01", "cc-by", "")
    assert (paper.uri, paper.authors) == ("https://open.example/1", ("Author Number1",))
    assert len(paper.accessed) == 10
    assert found.failures == ()


def test_an_encyclopaedia_article_is_read_by_its_revision(net: Internet) -> None:
    (found,) = web(net, "wikipedia").gather(["denoiser"]).documents
    assert "12 masks per second" in found.text
    assert (found.source.version, found.source.licence) == ("42", "CC BY-SA 4.0")


@pytest.mark.parametrize("lie", library.LIES)
def test_a_lying_service_is_named_and_the_others_answer(net: Internet, lie: str) -> None:
    net.hosts["api.openalex.org"] = library.lying(lie)
    begun = time.monotonic()
    found = web(net, "openalex", "wikipedia", seconds=4.0).gather([library.QUESTION])
    assert time.monotonic() - begun < 12
    kind, cause = library.LIES[lie]
    call = next(call for call in found.calls if call.service == "openalex")
    assert (call.outcome, call.cause) == (kind, cause)
    assert [(f.name, f.kind, f.cause) for f in found.failures] == [("openalex", kind, cause)]
    assert [d.source.title for d in found.documents] == ["Denoiser"]
    assert all(place[0].startswith("93.184.") for place in net.dialled)


def test_a_closed_or_broken_copy_leaves_the_abstract_marked_as_one(net: Internet) -> None:
    net.hosts["open.example"] = always(Reply(status=403))
    found = web(net, "openalex").gather([library.QUESTION])
    assert {d.source.extent for d in found.documents} == {"abstract"}
    assert all("Abstract: fill" in d.text for d in found.documents)
    assert {(f.kind, f.cause) for f in found.failures} == {("refused", "gate")}


def test_every_open_copy_is_tried_before_giving_up(net: Internet) -> None:
    place = {"is_oa": True, "landing_page_url": "https://gone.example/1"}
    other = {"is_oa": True, "landing_page_url": "https://open.example/1"}
    net.hosts["gone.example"] = always(Reply(status=404))
    net.hosts["api.openalex.org"] = library.openalex(
        library.openalex_item(1, best_oa_location=place, locations=[place, other])
    )
    found = web(net, "openalex").gather([library.QUESTION])
    assert [(d.source.uri, d.source.extent) for d in found.documents] == [("https://open.example/1", "")]


def test_retracted_works_are_named_and_are_no_evidence(net: Internet) -> None:
    net.hosts["api.openalex.org"] = library.openalex(
        library.openalex_item(1, is_retracted=True), library.openalex_item(2)
    )
    found = web(net, "openalex").gather([library.QUESTION])
    assert [d.source.doi for d in found.documents] == ["10.1000/masks.2"]
    assert [(f.cause, f.name) for f in found.failures] == [("retracted", "Masks filled in parallel, part 1")]


def test_a_corrected_work_is_named_marked_and_read(net: Internet) -> None:
    def crossref(request: internet.Request) -> Reply:
        if request.path == "/works":
            return library.json_reply({"message": {"items": []}})
        number = request.path[-1]
        item = {"DOI": f"10.1000/masks.{number}", "title": [f"Masks filled in parallel, part {number}"]}
        mark = {"1": "correction", "2": "expression_of_concern"}[number]
        return library.json_reply({"message": {**item, "updated-by": [{"DOI": "10.1/n", "type": mark}]}})

    net.hosts["api.crossref.org"] = crossref
    found = web(net, "openalex", "crossref").gather([library.QUESTION])
    assert {d.source.doi: d.source.retracted for d in found.documents} == {
        "10.1000/masks.1": "corrected",
        "10.1000/masks.2": "concern",
    }
    assert {f.cause for f in found.failures} == {"corrected", "concern"}
    assert all("supports nothing by itself" in f.message for f in found.failures)


def test_a_preprint_and_its_paper_are_one_work_in_two_versions(net: Internet) -> None:
    """The closed paper of one service is read by the open preprint of the other, and the reference names both."""
    entry = (
        "<entry><id>http://arxiv.org/abs/2101.00001v2</id><title>Masks filled in parallel, part 1</title><published>"
        "2020-12-01T00:00:00Z</published><summary>Short.</summary><author><name>A. Number1</name></author></entry>"
    )
    feed = (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:o="http://a9.com/-/spec/opensearch/1.1/"><o:totalResults>1</o:totalResults>'
        f"{entry}</feed>"
    )
    closed = {"best_oa_location": None, "primary_location": {"version": "publishedVersion"}}
    net.hosts["api.openalex.org"] = library.openalex(library.openalex_item(1, **closed))
    net.hosts["export.arxiv.org"] = always(Reply(feed.encode(), media_type="application/atom+xml"))
    net.hosts["arxiv.org"] = internet.paths({"/html/2101.00001v2": library.page("Masks filled in parallel, part 1", 7)})
    (document,) = web(net, "openalex", "arxiv").gather([library.QUESTION]).documents
    source = document.source
    assert source.uri == "https://arxiv.org/html/2101.00001v2"
    assert (source.doi, source.version, source.extent) == ("10.1000/masks.1", "preprint v2", "")
    assert source.versions == ("published doi:10.1000/masks.1", "preprint arXiv:2101.00001v2")


def test_ten_edited_copies_of_a_press_release_are_one_voice_and_a_reporter_is_another(net: Internet) -> None:
    lines = [f"The council of town {n} will fill {100 + n} masks by spring, its speaker said today." for n in range(40)]
    own = [f"Our reporter counted {n} masks at the depot near gate {n} and asked whoever passed." for n in range(40)]

    def result(n: int, kept: list[str]) -> Reply:
        words = [line for at, line in enumerate(kept) if n > 10 or at % 11 != n] + [f"Editor {n} added this line."]
        body = "".join(f"<p>{word}</p>" for word in words)
        html = f"<html><head><title>Masks {n}</title></head><body><article><h1>Masks {n}</h1>{body}</article></body></html>"
        return Reply(html.encode(), media_type="text/html")

    hosts = {f"paper{n}.example": result(n, own if n == 11 else lines) for n in range(1, 12)}
    net.hosts |= {host: always(reply) for host, reply in hosts.items()}
    listed = [{"url": f"https://{host}/story", "title": f"Masks {n}"} for n, host in enumerate(hosts, 1)]
    net.hosts["searx.example"] = always(library.json_reply({"results": listed}))
    door = net.door()
    chosen = services.choose("searxng", {}, {"searxng": "https://searx.example"})
    found = Web(door, services.open_services(chosen, door), Filters(limit=20), texts=20, seconds=60.0).gather(["masks"])
    assert len(found.documents) == 11
    assert len({d.source.id for d in found.documents}) == 11
    assert len({d.source.origin for d in found.documents}) == 2


def test_works_older_than_wanted_are_left_out_whatever_a_service_filters(net: Internet) -> None:
    found = web(net, "openalex", filters=Filters(since=2022)).gather([library.QUESTION])
    assert [d.source.doi for d in found.documents] == ["10.1000/masks.2"]


def test_crossref_is_asked_what_became_of_a_paper(net: Internet) -> None:
    def crossref(request: internet.Request) -> Reply:
        if request.path == "/works":
            return library.json_reply({"message": {"items": []}})
        item = {"DOI": "10.1000/masks.1", "title": ["Masks filled in parallel, part 1"]}
        if "masks.1" not in request.path:
            return Reply(status=404)
        return library.json_reply({"message": {**item, "updated-by": [{"DOI": "10.1/n", "type": "retraction"}]}})

    net.hosts["api.crossref.org"] = crossref
    found = web(net, "openalex", "crossref").gather([library.QUESTION])
    assert [d.source.doi for d in found.documents] == ["10.1000/masks.2"]


def test_offline_everything_ends_as_offline(net: Internet) -> None:
    door = net.door("offline")
    chosen = services.choose("openalex,wikipedia", {}, {})
    found = Web(door, services.open_services(chosen, door)).gather(["x"])
    assert {call.outcome for call in found.calls} == {"offline"}
    assert {failure.kind for failure in found.failures} == {"offline"}
    assert net.dialled == []


def test_copies_of_one_text_have_one_origin(net: Internet) -> None:
    body = library.page("One press release", 7)
    hosts = [f"paper{n}.example" for n in range(4)]
    for host in hosts:
        net.hosts[host] = always(body)
    net.hosts["searx.example"] = always(
        library.json_reply({"results": [{"url": f"https://{host}/story", "title": host} for host in hosts]})
    )
    door = net.door()
    chosen = services.choose("searxng", {}, {"searxng": "https://searx.example"})
    found = Web(door, services.open_services(chosen, door), texts=9).gather(["press release"])
    assert len(found.documents) >= 1
    assert len({d.source.origin for d in found.documents}) == 1


def test_a_round_keeps_what_it_read_and_asks_for_no_page_twice(net: Internet) -> None:
    session = web(net, "openalex")
    session.gather([library.QUESTION])
    session.gather([library.QUESTION])
    assert len([r for r in net.asked("open.example") if r.path == "/1"]) == 1


def test_passages_are_ranked_by_words_and_meaning() -> None:
    ranker = Ranker(HashEmbedder())
    ranker.add([document("The tower is 300 metres tall.", uri="a"), document("Bread is baked at dawn.", uri="b")])
    hits = ranker.search("how tall is the tower", 5)
    assert hits[0].passage.text == "The tower is 300 metres tall."
    assert [hit.rank for hit in hits] == [1, 2]
    assert set(hits[0].found_by) == {"lexical", "dense"}
    assert Ranker(HashEmbedder()).search("anything", 3) == []


def test_an_address_is_fetched_when_the_person_named_it_and_never_on_a_documents_word(net: Internet) -> None:
    """A query made from what a document says may hold an address; reading it would let the document choose whom we ask."""
    door = net.door()
    chosen = services.open_services(services.choose("pages", {}, {}), door)
    session = Web(door, chosen, addresses=frozenset(("https://open.example/1",)))
    assert session.gather(["what does https://open.example/2 say"]).documents == ()
    assert net.dialled == []
    (read,) = session.gather(["what does https://open.example/1 say?"]).documents
    assert read.source.uri == "https://open.example/1"


def test_a_text_that_does_not_come_in_time_is_taken_by_its_abstract(net: Internet) -> None:
    net.hosts["open.example"] = always(
        Reply(raw=(b"HTTP/1.1 200 x\r\nContent-Type: text/html\r\n", *[b"X: y\r\n"] * 400), pause=0.05)
    )
    session = web(net, "openalex", seconds=4.0)
    found = session.gather([library.QUESTION])
    assert {d.source.extent for d in found.documents} == {"abstract"}
    assert {f.cause for f in found.failures} == {"timeout"}


def test_when_half_have_answered_the_others_have_as_long_again_and_a_grace() -> None:
    futures = [Future[Any]() for _ in range(4)]
    futures[0].set_result(())
    futures[2].set_result(())
    now = time.monotonic()
    assert _after_half(futures, deadline=now + 1000, begun=now - 7, grace=3) == pytest.approx(now + 7, abs=5)
    assert _after_half(futures, deadline=now + 1000, begun=now, grace=300) == pytest.approx(now + 300, abs=5)
    begun = time.monotonic()
    _after_half([Future[Any](), Future[Any]()], deadline=begun + 0.1, begun=begun, grace=1)
    assert time.monotonic() - begun >= 0.1
