"""A chat model as executor of prose: what is sent, what is taken back, and what of a server that lies gets into a report: nothing."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from palimpsest.agent import prose
from palimpsest.agent.state import Budget, ProseError, ResearchState, Tools
from palimpsest.workflows.config import Config
from palimpsest.workflows.corpus import open_prose
from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.serving import chat_writer
from palimpsest.workflows.serving.chat_writer import ChatWriter, words_between

from ...agent.lake import QUESTION, TopicReader
from ...agent.test_prose import GOOD, TOWER, quoted
from ...agent.world import NUMBERS, ScriptedWriter, Shelf, finish, passage

SALT = passage("Salt cargo pays Pietro Canale about 12 lire on the lake.", "Salt", "2024")
FORM = prose.form(prose.scaffold(quoted(TOWER)))


def reply(words: Any) -> httpx.Response:
    return httpx.Response(200, json={"choices": [{"message": {"role": "assistant", "content": words}}]})


def writer(answer: Callable[[httpx.Request], httpx.Response], token: str | None = None) -> ChatWriter:
    return ChatWriter("http://127.0.0.1:9/v1#any", token, httpx.MockTransport(answer))


def test_what_is_sent_holds_the_sources_the_anchors_and_blanks_and_no_token_without_one() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return reply("The tower at Orta was the work of Pietro Canale in 1901, before two ferries ran [1].")

    assert writer(answer).compose([(FORM, [TOWER])]) == [GOOD]
    assert writer(answer, "secret").compose([(FORM, [TOWER])]) == [GOOD]
    body = json.loads(asked[0].content)
    assert (asked[0].url, body["model"], body["stream"]) == ("http://127.0.0.1:9/v1/chat/completions", "any", False)
    prompt = body["messages"][-1]["content"]
    assert f"[1] {TOWER.text}" in prompt
    assert prompt.endswith("____ Orta ____ Pietro Canale ____ 1901, before two ____ [1].")
    assert "authorization" not in asked[0].headers
    assert asked[1].headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("The tower at Orta was the work of Pietro Canale in 1901, before two ferries ran [1].", GOOD),
        ('"The tower at\nOrta  was the work of Pietro Canale in 1901, before two ferries ran [1]."', GOOD),
        ("The tower at Orta was the work of Pietro Canale in 1901, before two ferries ran.", None),  # no citation
        ("The tower at Orta was the work of Paolo Neri in 1901, before two ferries ran [1].", None),
        ("Pietro Canale built the tower of Orta in 1901, before two ferries ran [1].", None),  # another order
        ("The tower at Orta was the work of Pietro Canale in 1901, before two ferries ran [1]. It is tall.", None),
        ("", None),
    ],
)
def test_words_are_taken_only_between_all_anchors_in_their_order(said: str, words: list[str] | None) -> None:
    assert words_between(FORM, said) == words


LIES = {
    "a new figure": "Salt work gives Pietro Canale in 1999 about 12 lire [1].",
    "another name": "Salt work of Tolomeo gives Pietro Canale nearly 12 lire [1].",
    "a dropped citation": "Salt work gives Pietro Canale nearly 12 lire.",
    "a changed figure": "Salt work gives Pietro Canale nearly 13 lire [1].",
    "markup": "Salt <script>alert(1)</script> gives Pietro Canale nearly 12 lire [1].",
    "a link": "Salt work, see https://example.org, gives Pietro Canale nearly 12 lire [1].",
    "another citation": "Salt work [2] gives Pietro Canale nearly 12 lire [1].",
    "a turned relation": "Salt work never gives Pietro Canale nearly 12 lire [1].",
    "nothing": "",
}


def run(chat: ChatWriter) -> tuple[list[Any], ResearchState]:
    tools = Tools(ScriptedWriter({}), Shelf(SALT), NUMBERS, TopicReader(), chat)
    return finish(ResearchState(question=QUESTION, budget=Budget()), tools)


def standing(state: ResearchState) -> list[tuple[str, str]]:
    return [(b.kind, b.text) for b in state.draft.blocks if b.kind in ("quotation", "prose")]


@pytest.mark.parametrize("lie", LIES)
def test_nothing_of_a_server_that_lies_gets_into_the_report(lie: str) -> None:
    events, state = run(writer(lambda request: reply(LIES[lie])))
    assert standing(state) == [("quotation", SALT.text)]
    assert [e for e in events if e.kind == "rolled back"]


def test_an_honest_server_writes_the_sentence() -> None:
    _, state = run(writer(lambda request: reply("Salt work gives Pietro Canale nearly 12 lire daily [1].")))
    assert standing(state) == [("prose", "Salt work gives Pietro Canale nearly 12 lire daily.")]


def honest(request: httpx.Request) -> httpx.Response:
    """Fills every blank with a word."""
    sentence = json.loads(request.content)["messages"][-1]["content"].rpartition("Sentence:\n")[2]
    return reply(re.sub("____", "calmly", sentence))


def test_the_blanks_of_every_form_are_told_one_by_one() -> None:
    assert writer(honest).compose([(FORM, [TOWER])] * 2) == [["calmly"] * 4] * 2


BROKEN: dict[str, Callable[[httpx.Request], httpx.Response]] = {
    "500": lambda request: httpx.Response(500, text="no"),
    "a page": lambda request: httpx.Response(200, html="<html>login</html>"),
    "no choices": lambda request: httpx.Response(200, json={"choices": []}),
    "no words": lambda request: reply(None),
    "a redirect": lambda request: httpx.Response(302, headers={"Location": "http://elsewhere.example/"}),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_server_that_fails_is_named_once_and_quotations_stand(fault: str) -> None:
    asked = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return BROKEN[fault](request)

    _events, state = run(writer(answer))
    assert standing(state) == [("quotation", SALT.text)]
    assert asked == 1
    assert [f.name for f in state.failures] == ["writer"]
    assert "http://127.0.0.1:9/v1" in state.failures[0].message


class Endless(httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield b" " * 10_000


def test_an_endless_answer_is_left() -> None:
    with pytest.raises(ProseError, match="does not come to an end"):
        writer(lambda request: httpx.Response(200, stream=Endless())).compose([(FORM, [TOWER])])


@contextmanager
def served(words: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.dumps({"choices": [{"message": {"content": words}}]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_the_loopback_that_a_person_named_is_asked_through_the_door() -> None:
    with served("The tower at Orta was the work of Pietro Canale in 1901, before two ferries ran [1].") as url:
        assert ChatWriter(f"{url}#any").compose([(FORM, [TOWER])]) == [GOOD]
    with pytest.raises(ProseError, match="cannot be reached"):
        ChatWriter(f"{url}#any").compose([(FORM, [TOWER])])


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "ftp://here#m", "#m", "http://a:b@here/v1#m", "here#m"])
def test_an_address_without_a_model_or_with_a_login_is_refused(address: str) -> None:
    with pytest.raises(ResearchError):
        Config.load(writer=address)


def test_only_settings_that_a_person_named_send_evidence_to_a_writer(tmp_path: Any, monkeypatch: Any) -> None:
    (tmp_path / "research.toml").write_text('writer = "http://127.0.0.1:9/v1#m"\n')
    with pytest.raises(ResearchError, match="another host"):
        Config.load(tmp_path)
    far = Config.load(writer="https://far.example/v1#m", offline=True)
    with pytest.raises(ResearchError, match="--offline"):
        open_prose(far, ScriptedWriter({}))
    monkeypatch.setenv("RESEARCH_WRITER_TOKEN", "secret")
    near = Config.load(writer="http://127.0.0.1:9/v1#m", offline=True)
    assert isinstance(open_prose(near, ScriptedWriter({})), ChatWriter)
    assert "secret" not in near.model_dump_json()
    assert near.hosts == {
        "http://127.0.0.1:9/v1"
    }  # so that a run is not resumed towards a writer that only its folder names
    assert open_prose(Config(), ScriptedWriter({})) is None


def test_a_model_may_think_before_it_answers() -> None:
    said = "<think>Orta Pietro Canale 1999</think>The tower at Orta was the work of Pietro Canale in 1901, before two ferries ran [1]."
    assert writer(lambda request: reply(said)).compose([(FORM, [TOWER])]) == [GOOD]


def test_a_reply_is_bounded() -> None:
    long = "x" * (chat_writer.MOST_BYTES + 1)
    with pytest.raises(ProseError, match="end"):
        writer(lambda request: reply(long)).compose([(FORM, [TOWER])])
