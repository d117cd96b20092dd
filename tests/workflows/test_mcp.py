"""The tools over MCP, driven by the library's own client: in memory, and once as a process over standard input and output."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError, StdioServerParameters

from palimpsest.workflows import mcp
from palimpsest.workflows.config import Config
from palimpsest.workflows.runs import Run
from tests.workflows import scripted

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    scripted.use(monkeypatch.setattr)
    docs = scripted.lay_documents(tmp_path / "docs")
    return Config(docs=(docs,), out=tmp_path / "runs", index=tmp_path / "index", effort=1)


def talk(config: Config, conversation: Callable[[Client], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with Client(mcp.server(config)) as client:
            return await conversation(client)

    return anyio.run(run)


def test_the_tools_and_what_they_take(config: Config) -> None:
    tools = talk(config, lambda client: client.list_tools()).tools
    assert [tool.name for tool in tools] == ["research", "ask", "search", "verify"]
    taken = {tool.name: set(tool.input_schema["properties"]) for tool in tools}
    assert taken["research"] == {"question", "effort", "budget", "web"}


def test_a_run_with_progress_its_resources_verification_and_a_follow_up(config: Config) -> None:
    found: list[str] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        found.append(message or "")

    async def conversation(client: Client) -> None:
        made = await client.call_tool("research", {"question": scripted.QUESTION}, progress_callback=progress)
        assert not made.is_error, made.content
        report = made.structured_content
        assert report["report"] == scripted.only_run(config).report.read_text("utf-8")
        assert any(message.startswith("search:") for message in found)
        run = report["run"]
        assert (await client.call_tool("verify", {"run": run})).structured_content == {"run": run, "problems": []}
        runs = json.loads((await client.read_resource("runs://all")).contents[0].text)
        assert runs == [{"run": run, "question": scripted.QUESTION}]
        assert (await client.read_resource(f"runs://{run}/report")).contents[0].text == report["report"]
        sources = json.loads((await client.read_resource(f"runs://{run}/sources")).contents[0].text)
        assert sources
        follow = await client.call_tool("ask", {"run": run, "question": "Who built the fastest barge?"})
        assert not follow.is_error, follow.content
        assert len(Run.all(config.out)) == 2

    talk(config, conversation)


def test_search_gives_passages(config: Config) -> None:
    found = talk(config, lambda client: client.call_tool("search", {"query": "barge", "k": 2})).structured_content
    assert 0 < len(found["passages"]) <= 2
    assert {"text", "title", "uri", "score"} <= found["passages"][0].keys()


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("verify", {"run": "no-such-run"}, "there is no run 'no-such-run'"),
        ("research", {"question": " "}, "the question is empty"),
        ("research", {"question": "Who?", "effort": 9}, "bad value 9 for effort"),
        ("research", {"question": "Who?", "web": "wikipedia"}, "wikipedia may not be asked; this server allows none"),
        ("ask", {"run": "last", "question": "Who?"}, "there is no run"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(
    config: Config, tool: str, arguments: dict[str, Any], sentence: str
) -> None:
    answer = talk(config, lambda client: client.call_tool(tool, arguments))
    assert answer.is_error
    assert sentence in answer.content[0].text


def test_a_cancelled_request_stops_its_run_and_nothing_is_lost(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    real = scripted.PatternWriter.verdicts

    def slowly(self: Any, pairs: Any) -> Any:
        time.sleep(0.5)
        return real(self, pairs)

    monkeypatch.setattr(scripted.PatternWriter, "verdicts", slowly)

    async def conversation(client: Client) -> None:
        with anyio.move_on_after(1.0) as scope:
            await client.call_tool("research", {"question": scripted.QUESTION})
        assert scope.cancelled_caught
        await anyio.sleep(3)
        assert not scripted.only_run(config).record().current.done

    talk(config, conversation)


def test_as_a_process_over_standard_input_and_output(tmp_path: Path) -> None:
    docs = scripted.lay_documents(tmp_path / "docs")
    command = ["-c", "import sys; from palimpsest.ui.cli import main; sys.argv[0] = 'research'; main()"]
    given = [*command, "mcp", "--docs", str(docs), "--out", str(tmp_path / "runs")]

    async def run() -> Any:
        parameters = StdioServerParameters(command=sys.executable, args=given, cwd=tmp_path, env=dict(os.environ))
        async with Client(parameters) as client:
            return (await client.list_tools()).tools, await client.call_tool("verify", {"run": "nothing"})

    tools, answer = anyio.run(run)
    assert len(tools) == 4
    assert answer.is_error


def test_an_unknown_resource_is_refused(config: Config) -> None:
    async def conversation(client: Client) -> None:
        with pytest.raises(MCPError):
            await client.read_resource("runs://nothing/report")

    talk(config, conversation)
