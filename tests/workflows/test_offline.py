"""What leaves the machine, watched where sockets are made: in the command's own process and in those that it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflows import scripted

WATCH = """
import json, os, sys

def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"):
        with open(os.environ["WATCHED"], "a") as out:
            out.write(json.dumps([os.getpid(), event, repr(args[1:] if event == "socket.connect" else args[:2])]) + "\\n")

sys.addaudithook(watch)
with open(os.environ["WATCHED"] + ".pids", "a") as out:
    out.write(f"{os.getpid()}\\n")
"""
COMMANDS = """
import json, sys
from palimpsest.ui.cli import main

for arguments in json.loads(sys.argv[1]):
    sys.argv = ["research", *arguments]
    try:
        main()
    except SystemExit as ended:
        print(f"[{ended.code or 0}]", file=sys.stderr)
"""


def watched(folder: Path, *commands: list[str]) -> tuple[list[object], subprocess.CompletedProcess[str]]:
    """What the processes of these commands did with sockets, and what they printed."""
    (folder / "sitecustomize.py").write_text(WATCH)
    log = folder / "watched"
    path = os.pathsep.join([str(folder), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    kept = {n: v for n, v in os.environ.items() if not n.startswith("RESEARCH_")}
    environment = {
        **kept,
        "PYTHONPATH": path,
        "WATCHED": str(log),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "HOME": str(folder),
    }
    command = [sys.executable, "-c", COMMANDS, json.dumps(commands)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280)
    calls = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    assert len(set((folder / "watched.pids").read_text().split())) > 1, "the process that reads files is watched too"
    return calls, done


@pytest.mark.parametrize(
    "allowed", [["--web", "all", "--offline", "--contact", "me@x.example"], ["--web", "all", "--replay"]]
)
def test_nothing_leaves_where_nothing_was_allowed(tmp_path: Path, allowed: list[str]) -> None:
    """`--offline` whatever else is set, and a replay: no name is looked up and no socket connected."""
    docs = scripted.lay_documents(tmp_path / "docs")
    run = ["run", scripted.QUESTION, "--docs", str(docs), "--effort", "1", "--quiet", *allowed]
    looks = [
        ["verify", "last"],
        ["show", "last", "--sources"],
        ["export", "last", "--format", "references", "--style", "apa"],
    ]
    calls, done = watched(tmp_path, run, *looks)
    assert done.stderr.count("[0]") == 4, done.stderr
    assert "Marisa" in done.stdout
    assert calls == []
    if "--web" in allowed:
        assert "asked openalex" in done.stdout
        assert " offline" in done.stdout


def test_the_watch_sees_what_leaves(tmp_path: Path) -> None:
    """The same run where a service on this machine may be asked: the test above is not blind."""
    docs = scripted.lay_documents(tmp_path / "docs")
    (tmp_path / "mine.toml").write_text('web = "searxng"\nservices = { searxng = "http://127.0.0.1:9" }\n')
    run = ["run", scripted.QUESTION, "--docs", str(docs), "--effort", "1", "--quiet", "--config", "mine.toml"]
    calls, done = watched(tmp_path, run)
    assert "will ask http://127.0.0.1:9" in done.stderr
    assert any("('127.0.0.1', 9)" in str(call) for call in calls), done.stderr


def test_a_model_of_the_hub_is_not_fetched_offline(tmp_path: Path) -> None:
    docs = scripted.lay_documents(tmp_path / "docs")
    index = ["index", "add", str(docs)]
    calls, done = watched(
        tmp_path, index, ["run", "Who?", "--docs", str(docs), "--offline", "--model", "someone/model"]
    )
    assert "offline nothing is fetched" in done.stderr
    assert calls == []
