"""The help of each command names every option that the README shows with it, and the README names no command that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from palimpsest.ui import cli

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
COMMANDS = {
    **cli.COMMANDS,
    **{f"index {name}": command for name, command in cli.INDEX.items()},
}


def shown() -> set[tuple[str, str]]:
    """(command, option) wherever the README writes `research COMMAND ... --option` in one piece of code."""
    pieces = [p for line in README.splitlines() for p in re.findall(r"`(research [^`]+)`", line)]
    pieces += re.findall(r"^(research [a-z].*)$", README, re.MULTILINE)
    return {(verb, option) for piece in pieces if (verb := verb_of(piece)) for option in options(piece)}


def verb_of(piece: str) -> str:
    words = piece.split()
    verb = " ".join(words[1:3]) if words[1:2] == ["index"] else words[1]
    return verb if verb in COMMANDS else ""


def options(text: str) -> list[str]:
    return re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)


def test_the_readme_is_read() -> None:
    found = shown()
    assert {("run", "--docs"), ("export", "--format"), ("verify", "--seal"), ("revise", "--evidence")} <= found
    assert len(found) > 20


@pytest.mark.parametrize("verb", sorted({verb for verb, _ in shown()}))
def test_help_names_each_option_that_the_readme_shows(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        typer.main.get_command(cli.app)([*verb.split(), "--help"])
    assert ended.value.code == 0
    named = set(options(capsys.readouterr().out))
    missing = {option for asked, option in shown() if asked == verb} - named
    assert not missing, f"README shows research {verb} with {missing}; its help does not"


def test_the_list_of_the_readme_names_every_command_and_no_other() -> None:
    listed = re.search(r"^## Use\n+```\n(.*?)```", README, re.MULTILINE | re.DOTALL)
    assert listed
    first = {line.split()[1] for line in listed[1].splitlines() if line.startswith("research ")}
    more = set(re.findall(r"\| (\w+) RUN", listed[1]))
    assert {v for v in first if not v.startswith("-")} | more == {*cli.COMMANDS, "index"}


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        typer.main.get_command(cli.app)(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"research \d+\.\d+\.\d+\n", capsys.readouterr().out)
