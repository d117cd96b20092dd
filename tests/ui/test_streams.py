"""Standard streams in any surroundings, each in a process of its own: what is printed there, what is said, the exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from palimpsest.ui import streams

ROOT = Path(__file__).parents[2]
ANSWER = "Tolomeo — café ☕"
PROGRAM = """
import json, sys
from pathlib import Path
import typer
from palimpsest.ui import cli, saying, streams

app = cli.app = typer.Typer(pretty_exceptions_enable=False)

@app.command()
def text(word: str) -> None:
    print(streams.typed(word))

@app.command("json")
def row(word: str) -> None:
    saying.print_json(json.dumps({"answer": streams.typed(word)}, ensure_ascii=False))

@app.command()
def long(word: str) -> None:
    for _ in range(100_000):
        print(word)

@app.command()
def told(word: str) -> None:
    saying.say("on the way " + word)
    Path("kept").write_text(word, encoding="utf-8")
    print("done")

cli.main()
"""


def run(
    tmp_path: Path, verb: str, *, env: dict[str, str] | None = None, **popen: Any
) -> subprocess.CompletedProcess[bytes]:
    """A command with the streams of `research`, and nothing else of it."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "PYTHONIO", "PYTHONUTF8"))}
    streams_given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | popen
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, verb, ANSWER],
        cwd=tmp_path,
        env={**plain, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", **(env or {})},
        timeout=120,
        check=False,
        **streams_given,
    )


NARROW = {
    "ascii": ({"PYTHONIOENCODING": "ascii"}, b"Tolomeo ? caf? ?"),
    "latin-1": ({"PYTHONIOENCODING": "latin-1"}, b"Tolomeo ? caf\xe9 ?"),
    "cp1252": ({"PYTHONIOENCODING": "cp1252"}, b"Tolomeo \x97 caf\xe9 ?"),
    "LC_ALL=C": ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, b"Tolomeo ? caf? ?"),
}


@pytest.mark.parametrize("name", NARROW)
def test_a_letter_that_the_output_lacks_is_replaced(tmp_path: Path, name: str) -> None:
    env, printed = NARROW[name]
    done = run(tmp_path, "text", env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, printed + b"\n", b"")


@pytest.mark.parametrize("name", NARROW)
def test_in_json_nothing_is_lost(tmp_path: Path, name: str) -> None:
    done = run(tmp_path, "json", env=NARROW[name][0])
    assert json.loads(done.stdout.decode("ascii")) == {"answer": ANSWER}


def test_an_output_that_has_every_letter_gets_every_letter(tmp_path: Path) -> None:
    assert run(tmp_path, "text").stdout.decode() == ANSWER + "\n"
    assert run(tmp_path, "json").stdout.decode() == json.dumps({"answer": ANSWER}, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("verb", ["text", "long", "told"])
def test_a_reader_that_went_away_ends_the_command_as_it_does_other_tools(tmp_path: Path, verb: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run(tmp_path, verb, stdout=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr.decode().replace(f"on the way {ANSWER}\n", "")) == (streams.UNREAD, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no full device")
@pytest.mark.parametrize("verb", ["text", "long"])
def test_a_full_output_is_one_sentence(tmp_path: Path, verb: str) -> None:
    with open("/dev/full", "wb") as full:
        done = run(tmp_path, verb, stdout=full)
    message = b"research: standard output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, message)


def closed(*numbers: int) -> Callable[[], None]:
    def close() -> None:
        for number in numbers:
            os.close(number)

    return close


@pytest.mark.parametrize("numbers", [(0,), (1,), (2,), (1, 2), (0, 1, 2)])
def test_closed_streams_cost_no_work_and_nothing_is_printed_into_a_file(
    tmp_path: Path, numbers: tuple[int, ...]
) -> None:
    """A file that is opened after a stream was closed gets its number; the words of the stream would go into it."""
    done = run(tmp_path, "told", preexec_fn=closed(*numbers))
    assert done.returncode == 0
    assert (tmp_path / "kept").read_text(encoding="utf-8") == ANSWER
    assert done.stdout == (b"" if 1 in numbers else b"done\n")
    assert done.stderr.decode() == ("" if 2 in numbers else f"on the way {ANSWER}\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no full device")
def test_progress_that_cannot_be_shown_stops_nothing(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = run(tmp_path, "told", stderr=full)
    assert (done.returncode, done.stdout) == (0, b"done\n")


def test_escapes_keep_what_they_stand_for() -> None:
    text = json.dumps(["é", "\U0001f6f6", 'a "b"\n'], ensure_ascii=False)
    assert streams.escaped_json(text).isascii()
    assert json.loads(streams.escaped_json(text)) == json.loads(text)
    assert streams.escaped_html("<p>é☕</p>") == "<p>&#233;&#9749;</p>"
