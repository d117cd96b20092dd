"""The plan of a report as a list that a person may change before the work begins, and the sub-questions that it comes to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

from palimpsest.retrieval.types import Frozen

from .dates import asked_date
from .state import Form, PlanItem, SubQuestion

Planner = Callable[[str], list[SubQuestion]]


class Plan(Frozen):
    """Things to find out, in order. Places count from 0; IndexError or ValueError, in a sentence, for what is not there."""

    items: tuple[PlanItem, ...] = ()

    @staticmethod
    def of(questions: Sequence[SubQuestion]) -> Plan:
        """The plan that sub-questions make."""
        return Plan(items=tuple(PlanItem(words=q.asked, kind=q.form, scope=_scope(q), question=q) for q in questions))

    def edited(self, place: int, words: str) -> Plan:
        """Another wording: it is planned anew."""
        return self._with(place, PlanItem(words=_said(words), kind=self._at(place).kind, scope=self._at(place).scope))

    def scoped(self, place: int, scope: str) -> Plan:
        item = self._at(place)
        return self._with(place, PlanItem(words=item.words, kind=item.kind, scope=" ".join(scope.split())))

    def typed(self, place: int, kind: str) -> Plan:
        """Another form of answer."""
        if kind not in FORMS:
            raise ValueError(f"there is no form {kind!r}; the forms are {', '.join(FORMS)}")
        item = self._at(place)
        return self._with(place, PlanItem(words=item.words, kind=kind, scope=item.scope))

    def without(self, place: int) -> Plan:
        self._at(place)
        if len(self.items) == 1:
            raise ValueError("a plan keeps at least one thing to find out; change its words instead")
        return Plan(items=(*self.items[:place], *self.items[place + 1 :]))

    def moved(self, place: int, to: int) -> Plan:
        item, rest = self._at(place), [*self.items[:place], *self.items[place + 1 :]]
        self._at(to)
        return Plan(items=(*rest[:to], item, *rest[to:]))

    def plus(self, words: str, kind: str = "") -> Plan:
        """One thing more, at the end."""
        return Plan(items=(*self.items, PlanItem(words=_said(words), kind=kind)))

    def _at(self, place: int) -> PlanItem:
        if not 0 <= place < len(self.items):
            raise IndexError(f"there is no item {place + 1}; the plan has {len(self.items)}")
        return self.items[place]

    def _with(self, place: int, item: PlanItem) -> Plan:
        self._at(place)
        return Plan(items=(*self.items[:place], item, *self.items[place + 1 :]))


FORMS: tuple[str, ...] = get_args(Form)


def _said(words: str) -> str:
    if not words.strip():
        raise ValueError("an item of a plan needs words")
    return " ".join(words.split())


def _scope(question: SubQuestion) -> str:
    return f"as of {question.as_of}" if question.as_of else ""


def questions(items: Sequence[PlanItem], planner: Planner) -> list[SubQuestion]:
    """The sub-questions of a plan, in its order: as planned where a person changed nothing, else planned from their words.

    They are numbered anew; what rested on an item that is gone or changed is asked in the words that a person sees.
    """
    kept = {item.question.id for item in items if item.question}
    found: list[SubQuestion] = []
    names: dict[str, str] = {}
    for item in items:
        made = [item.question] if item.question else _planned(item, planner)
        own = {q.id: f"q{len(found) + 1 + n}" for n, q in enumerate(made)}
        for question in made:
            name = f"q{len(found) + 1}"
            rests = all(old in kept or old in {q.id for q in made} for old in question.depends_on)
            if item.question:
                names[question.id] = name
            local = names if item.question else own
            found.append(_renamed(question, name, local if rests else {}))
    return [_later(q, {p.id for p in found[:n]}) for n, q in enumerate(found)]


def _renamed(question: SubQuestion, name: str, names: dict[str, str]) -> SubQuestion:
    """The question under another id, with the ids that it rests on renamed too; without names it stands by itself."""
    if any(old not in names for old in question.depends_on):
        return question.model_copy(update={"id": name, "text": question.asked, "depends_on": ()})
    text = question.text
    for old in question.depends_on:
        text = text.replace(f"{{{old}}}", f"{{{names[old]}}}")
    rests = tuple(names[old] for old in question.depends_on)
    return question.model_copy(update={"id": name, "text": text, "depends_on": rests})


def _later(question: SubQuestion, before: set[str]) -> SubQuestion:
    """A question that was moved ahead of what it rests on stands by itself."""
    if set(question.depends_on) <= before:
        return question
    return question.model_copy(update={"text": question.asked, "depends_on": ()})


def _planned(item: PlanItem, planner: Planner) -> list[SubQuestion]:
    """What a person's words come to; one item in the form that they chose, where they chose one."""
    words = f"{item.words.rstrip(' ?.')}, {item.scope}?" if item.scope else item.words
    made = planner(words)
    if item.kind:
        fitting = [q for q in made if q.form == item.kind] or made[:1]
        made = [SubQuestion.model_validate({**q.model_dump(), "form": item.kind, "tentative": False}) for q in fitting]
    date = asked_date(item.scope) if item.scope else ""
    return [q.model_copy(update={"as_of": q.as_of or date}) for q in made]
