"""The plan of a run in the terminal: a numbered list that a person changes line by line, until they say go."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from .saying import say

if TYPE_CHECKING:
    from palimpsest.agent.plans import Plan
    from palimpsest.workflows.config import Config

HELP = "edit N WORDS · scope N WORDS · form N FORM · delete N · move N TO · add WORDS · go · quit"


def approved(question: str, config: Config) -> Plan:
    """The plan as a person leaves it. ResearchError without a terminal to show it on, or when they quit."""
    from palimpsest.workflows.errors import USAGE, ResearchError
    from palimpsest.workflows.steering import plan as planned

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ResearchError("--approve shows the plan and waits for you, and here is no terminal; leave it out", USAGE)
    plan = planned(question, config)
    while True:
        _show(plan)
        try:
            word, _, rest = sys.stdin.readline().strip().partition(" ")
        except KeyboardInterrupt:
            word = "quit"
        if word in ("go", "g"):
            return plan
        if word in ("quit", "q", ""):
            raise ResearchError("the plan was not approved, and nothing was begun; ask again when you like", USAGE)
        plan = _changed(plan, word, rest.strip())


def _show(plan: Plan) -> None:
    say("The plan:")
    for number, item in enumerate(plan.items, 1):
        scope = f"  ({item.scope})" if item.scope else ""
        say(f"  {number}. [{item.kind or 'as it comes'}] {item.words}{scope}")
    say(HELP)


def _changed(plan: Plan, word: str, rest: str) -> Plan:
    """The plan after one line of a person; the same, with a sentence, after one that means nothing."""
    doing: dict[str, Callable[[str, str], Plan]] = {
        "edit": lambda place, words: plan.edited(_place(place), words),
        "scope": lambda place, words: plan.scoped(_place(place), words),
        "form": lambda place, words: plan.typed(_place(place), words),
        "move": lambda place, to: plan.moved(_place(place), _place(to)),
        "delete": lambda place, _: plan.without(_place(place)),
    }
    first, _, more = rest.partition(" ")
    try:
        if word == "add":
            return plan.plus(rest)
        if word in doing:
            return doing[word](first, more.strip())
        say(f"there is no {word!r}; {HELP}")
    except (ValueError, IndexError) as error:
        say(f"{error}; {HELP}")
    return plan


def _place(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise ValueError(f"{word or 'nothing'} is no number of an item")
    return int(word) - 1
