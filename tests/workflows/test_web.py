"""Whole runs over a loopback internet: what is asked, what is read, what lies, what stays at home."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stamina

from palimpsest.retrieval.embed import HashEmbedder
from palimpsest.retrieval.http import Border, Door, Guard, Rate
from palimpsest.retrieval.web import services
from palimpsest.workflows import audit, research, web
from palimpsest.workflows.config import Config, make
from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.runs import Run
from tests import internet
from tests.internet import Internet, Reply
from tests.retrieval.web import library
from tests.workflows import scripted


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    scripted.use(monkeypatch.setattr)
    for name in services.SERVICES:
        monkeypatch.setattr(services.named(name), "rate", Rate(0.0, 2))
    with internet.running() as made, stamina.set_testing(True, attempts=1):
        made.hosts["en.wikipedia.org"] = library.wikipedia
        made.hosts["open.example"] = library.open_copies(1, 2)
        made.hosts["api.openalex.org"] = library.openalex(library.openalex_item(1), library.openalex_item(2))

        def door(border: Border, guard: Guard | None = None) -> Door:
            return Door(
                border,
                Guard(operators=(guard or Guard()).operators, resolve=made.resolve),
                dial=made.dial,
                verify=made.trust,
            )

        monkeypatch.setattr(web, "Door", door)
        yield made


def ran(config: Config, question: str = library.QUESTION, **how: Any) -> tuple[Run, str, dict[str, Any]]:
    last = list(research.research(question, config, **how))[-1]
    run = Run(Path(last.data["folder"]))
    return run, run.report.read_text(encoding="utf-8"), last.data


def settings(tmp_path: Path, **more: Any) -> Config:
    return make({"out": tmp_path / "runs", "index": tmp_path / "cache" / "indexes", "effort": 1, **more})


def test_a_run_reads_the_web_and_keeps_what_it_read(net: Internet, tmp_path: Path) -> None:
    run, _, last = ran(settings(tmp_path, web="openalex,wikipedia"))
    kept = {source.uri: source for source in run.sources()}
    assert kept
    assert all(source.accessed and run.text_file(source.id).exists() for source in kept.values())
    assert last["asked"]["openalex"] == {"found": len(run.calls()) // 2}
    assert {request.path for request in net.asked("api.openalex.org")} == {"/works"}


def barges(request: internet.Request) -> Reply:
    if request.query.get("list") == "search":
        return library.json_reply({"query": {"search": [{"title": "Lake Orta", "pageid": 1, "snippet": "barges"}]}})
    text = "<p>The fastest barge on Lake Orta is Marisa, which reaches 12 knots.</p>"
    return library.json_reply(
        {"parse": {"title": "Lake Orta", "pageid": 1, "revid": 42, "text": text, "properties": {}}}
    )


def test_half_of_the_services_lie_and_the_run_says_so_in_time(net: Internet, tmp_path: Path) -> None:
    net.hosts["api.openalex.org"] = library.lying("slow")
    net.hosts["api.crossref.org"] = library.lying("changed")
    net.hosts["api.semanticscholar.org"] = library.lying("limited")
    net.hosts["www.ebi.ac.uk"] = library.lying("inside")
    net.hosts["doaj.org"] = library.lying("captcha")
    net.hosts["en.wikipedia.org"] = barges
    names = "openalex,crossref,semantic_scholar,europe_pmc,doaj,wikipedia"
    begun = time.monotonic()
    run, report, last = ran(settings(tmp_path, web=names, budget=20.0), scripted.QUESTION)
    assert time.monotonic() - begun < 60
    assert any("wikipedia.org" in source.uri for source in run.sources())
    endings = {call.service: (call.outcome, call.cause) for call in run.calls()}
    assert endings["crossref"] == ("failed", "changed")
    assert endings["semantic_scholar"] == ("limited", "rate")
    assert endings["europe_pmc"] == ("refused", "address")
    assert endings["doaj"] == ("failed", "type")
    assert endings["openalex"][0] == "failed"
    assert endings["wikipedia"] == ("found", "")
    assert "**Marisa** [1]" in report
    assert "**12** [1]" in report
    unread = report.partition("## What could not be read")[2]
    for name in ("openalex", "crossref", "semantic", "ebi.ac.uk", "doaj"):
        assert name in unread.casefold(), name
    assert audit.verify(run) == []
    logged = [json.dumps(e["data"]) for e in run.events() if e["kind"] == "failed"]
    for name in ("openalex", "crossref", "semantic_scholar", "europe_pmc", "doaj"):
        assert any(name in line for line in logged), name
    assert last["asked"]["crossref"]["failed"] >= 1
    assert "169.254" not in {place for place, _ in net.dialled}


def test_a_failure_is_told_once_however_often_it_happens(net: Internet, tmp_path: Path) -> None:
    net.hosts["api.openalex.org"] = library.lying("limited")
    door = net.door()
    session = web.WebSearch(settings(tmp_path, web="openalex"), door, HashEmbedder())
    first, second = session.search(["one"], 3), session.search(["two"], 3)
    assert first.failures == second.failures
    assert [f.cause for f in first.failures] == ["rate"]


def test_a_slow_service_holds_nothing_up_after_its_round(net: Internet, tmp_path: Path) -> None:
    net.hosts["api.openalex.org"] = library.lying("slow")
    session = web.WebSearch(settings(tmp_path, web="openalex", budget=8.0), net.door(), HashEmbedder())
    assert [service.seconds for service in session.web.services] == [1.0]
    assert session.web.seconds == 2.0


def test_without_web_nothing_is_resolved_or_connected(net: Internet, tmp_path: Path) -> None:
    docs = scripted.lay_documents(tmp_path / "docs")
    ran(settings(tmp_path, docs=(docs,)))
    assert (net.resolved, net.dialled) == ([], [])


def test_offline_wins_over_web_and_the_run_says_what_was_not_asked(net: Internet, tmp_path: Path) -> None:
    docs = scripted.lay_documents(tmp_path / "docs")
    _, _, last = ran(settings(tmp_path, docs=(docs,), web="openalex", offline=True))
    assert (net.resolved, net.dialled) == ([], [])
    assert set(last["asked"]["openalex"]) == {"offline"}


def test_a_query_leaves_only_with_a_persons_word(net: Internet, tmp_path: Path) -> None:
    asked: list[str] = []

    def never(query: str) -> bool:
        asked.append(query)
        return False

    docs = scripted.lay_documents(tmp_path / "docs")
    config = settings(tmp_path, docs=(docs,), web="openalex", approve_queries=True)
    run, _, _ = ran(config, approve=never)
    assert asked
    assert {call.cause for call in run.calls()} == {"not approved"}
    assert net.dialled == []
    ran(config, approve=lambda query: True)
    assert net.asked("api.openalex.org")


def test_keys_are_in_no_file_of_a_run(net: Internet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENALEX_API_KEY", "s3cret-key")
    ran(settings(tmp_path, web="openalex"))
    assert net.asked("api.openalex.org")[0].headers["authorization"] == "Bearer s3cret-key"
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not any(b"s3cret" in content for content in files)


def test_a_service_that_is_not_there_is_refused_before_a_run_begins(tmp_path: Path) -> None:
    with pytest.raises(ResearchError, match="there is no service 'gogle'"):
        ran(settings(tmp_path, web="gogle"))
    assert not (tmp_path / "runs").exists()


def test_services_that_all_lack_what_they_need_are_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a run once found nothing, and ended as if all were well."""
    for key in ("BRAVE_API_KEY", "TAVILY_API_KEY"):
        monkeypatch.delenv(key, raising=False)
    with pytest.raises(
        ResearchError, match=r"no service can be asked: brave needs BRAVE_API_KEY; searxng needs RESEARCH_SERV"
    ):
        ran(settings(tmp_path, web="brave,searxng"))
    assert not (tmp_path / "runs").exists()
    assert web.chosen(settings(tmp_path, web="brave,arxiv")).names == ("brave", "arxiv")
    assert web.chosen(settings(tmp_path, web="brave", replay=True)).names == ("brave",)
    assert web.chosen(settings(tmp_path, web="brave", docs=(tmp_path,))).names == ("brave",)


@pytest.mark.parametrize(
    "given", [{"proxy": "http://me:s3cret@proxy.example"}, {"services": "searxng=http://me:s3cret@searx.example"}]
)
def test_an_address_with_a_password_is_refused_without_repeating_it(given: dict[str, str]) -> None:
    with pytest.raises(ResearchError, match="no login") as caught:
        make(given)
    assert "s3cret" not in str(caught.value)


def test_a_proxy_is_named_with_what_it_hides() -> None:
    assert "unchecked" in web.announcement(Config(web="arxiv", proxy="http://proxy.example:3128"))


def test_the_hosts_are_named_before_they_are_asked() -> None:
    assert web.announcement(Config()) == ""
    assert web.announcement(Config(web="all", offline=True)) == ""
    found = web.announcement(Config(web="wikipedia"))
    assert "en.wikipedia.org" in found
    assert "open copies" not in found
    assert "open copies" in web.announcement(Config(web="openalex", contact="me@x.example"))


def test_the_real_door_is_as_narrow_as_what_was_announced(tmp_path: Path) -> None:
    config = make({"web": "wikipedia,searxng", "services": "searxng=http://127.0.0.1:8888", "type": "encyclopaedia"})
    with web.open_door(config, web.chosen(config), tmp_path) as door:
        assert door.border.hosts == frozenset(("en.wikipedia.org", "127.0.0.1"))
        assert door.guard.operators == frozenset((("http", "127.0.0.1", 8888),))
    with web.open_door(Config(), web.chosen(Config()), None) as door:
        assert door.border.reach == "offline"


def test_offline_refuses_a_model_on_another_machine(tmp_path: Path) -> None:
    """Evidence goes to the model: a server elsewhere is the network too."""
    with pytest.raises(ResearchError, match="evidence would leave this machine"):
        ran(settings(tmp_path, offline=True, model="http://gpu.example:8321"))


def test_a_folder_of_saved_pages_is_a_web_that_needs_no_network(net: Internet, tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "one.html").write_bytes(library.page("Masks in a folder", 77).body)
    (pages / "two.html").write_bytes(library.page("Bread", 3).body.replace(b"masks", b"loaves"))
    config = settings(tmp_path, web="folder", services=f"folder={pages}")
    found = web.WebSearch(config, net.door("offline"), HashEmbedder()).search([library.QUESTION], 5)
    assert found.calls[0].found >= 1
    assert found.hits[0].passage.source.title == "Masks in a folder"
    assert net.dialled == []


@pytest.mark.parametrize(
    ("path", "reply", "kind", "words"),
    [
        ("/page", library.page("Masks by hand", 9), "text/html", "We fill 9 masks per second"),
        (
            "/note.txt",
            Reply(b"A plain note: nine masks.", media_type="text/plain; charset=utf-8"),
            "text/plain",
            "nine masks",
        ),
        ("/t.csv", Reply(b"name,masks\nCy,9\nDi,8\n", media_type="text/csv"), "text/csv", "Cy"),
        (
            "/n.md",
            Reply(b"# Nine\n\nNine masks.", media_type="application/octet-stream"),
            "text/markdown",
            "Nine masks",
        ),
    ],
)
def test_evidence_is_fetched_by_its_address(
    net: Internet, tmp_path: Path, path: str, reply: Reply, kind: str, words: str
) -> None:
    net.hosts["mine.example"] = internet.paths({path: reply})
    document = web.fetch_evidence(f"https://mine.example{path}", settings(tmp_path))
    assert words in document.text
    assert (document.source.uri, document.source.media_type) == (f"https://mine.example{path}", kind)
    assert document.source.accessed
    assert document.source.title != "page"


@pytest.mark.parametrize(
    ("url", "more", "sentence"),
    [
        ("https://mine.example/x", {"offline": True}, "--offline"),
        ("http://127.0.0.1/x", {}, "no public address"),
        ("http://me:s3cret@mine.example/x", {}, "a login"),
        ("file:///etc/passwd", {}, "only http:// and https://"),
        ("https://mine.example/gone", {}, "does not exist"),
        ("https://mine.example/closed", {}, "robots.txt"),
        ("https://mine.example/gate", {}, "prove themselves"),
        ("https://mine.example/odd", {}, "was expected"),
    ],
)
def test_evidence_that_is_not_to_be_had_says_why(
    net: Internet, tmp_path: Path, url: str, more: dict[str, Any], sentence: str
) -> None:
    net.hosts["mine.example"] = internet.paths(
        {
            "/robots.txt": Reply(b"User-agent: *\nDisallow: /closed", media_type="text/plain"),
            "/gate": Reply(b"<title>Just a moment...</title>", media_type="text/html"),
            "/odd": Reply(b"x", media_type="image/x-odd"),
        }
    )
    with pytest.raises(ResearchError, match=sentence):
        web.fetch_evidence(url, settings(tmp_path, **more))
    assert not more or net.dialled == []


def test_a_run_is_replayed_from_the_cache_and_asks_nobody(net: Internet, tmp_path: Path) -> None:
    run, report, _ = ran(settings(tmp_path, web="openalex,wikipedia"))
    net.hosts.clear()
    net.dialled.clear()
    net.resolved.clear()
    again, replayed, last = ran(settings(tmp_path, web="openalex,wikipedia", replay=True, offline=True))
    assert (net.resolved, net.dialled) == ([], [])
    assert [source.sha256 for source in again.sources()] == [source.sha256 for source in run.sources()]
    assert without_head(replayed) == without_head(report)
    assert set(last["asked"]["openalex"]) == {"found"}


def without_head(report: str) -> str:
    return report.split("\n---\n", 1)[1]


def test_what_the_cache_does_not_hold_is_said_in_a_replay(net: Internet, tmp_path: Path) -> None:
    docs = scripted.lay_documents(tmp_path / "docs")
    run, _, last = ran(settings(tmp_path, docs=(docs,), web="openalex", replay=True))
    assert set(last["asked"]["openalex"]) == {"offline"}
    assert {call.cause for call in run.calls()} == {"replay"}
    assert net.dialled == []
