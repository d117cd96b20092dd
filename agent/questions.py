"""What is asked: a question into sub-questions, the names and kinds in it, and the words that stand for an earlier answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from palimpsest.dlm_core.kinds import MaskKind, typed_spans

from . import asking, speech
from .asking import FUNCTION_WORDS
from .dates import asked_date
from .draft import Kind
from .state import SubQuestion

_ASKS = r"(?:who|whom|whose|what|when|where|which|how|why|in what|in which|at what|by whom)"
_SUBJECT = r"(?:it|its|they|their|he|his|she|her|there|this|that|these|those|the|an?|any|both|(?-i:[A-Z])|\d)"
_TURNED = rf"(?:is|are|was|were|does|do|did|can)\s+{_SUBJECT}"  # "and was it ..." asks; "and was known for ..." goes on
_ALONE = rf"{_ASKS}(?=\s*(?:[,?;]|$)|\s+and\b)"  # "who built it, when and why"
_JOINT = re.compile(
    rf"\s*(?:\?|;)\s+(?:and\s+)?(?=\S)|,?\s+and\s+(?={_ASKS}\b|{_TURNED})|,\s+(?={_ALONE})", re.IGNORECASE
)
_PRONOUN = re.compile(r"\b(it|its|they|them|their|he|him|his|she|her)\b", re.IGNORECASE)
_POSSESSIVE = {"its", "their", "his"}
_FIRST_ASKED = re.compile(
    r"(?<!the )\b(?:in what|in which|on what|on which|by whom|since when|who|whom|whose|where|when|how|what|which|why)\b",
    re.I,
)
_NUMBER_ASKED = re.compile(
    r"(when|how (?:many|much|long|fast|far|old|large|big|often|tall|high|deep)|what (?:year|date|percent\w*|number|fraction|share)|"
    r"(?:in|on) (?:what|which) (?:year|date|month|day))\b",
    re.IGNORECASE,
)
_AUXILIARIES = frozenset(
    "am is are was were do does did has have had can could may might must shall should will would".split()
)
_LISTED = re.compile(  # ", which", ", who" and ", when it" mostly go on in the same question
    rf",\s+(?=(?:how|what|why)\b|(?:when|where)\s+(?:{'|'.join(sorted(_AUXILIARIES))})\b)", re.IGNORECASE
)
_OR = re.compile(r"\W*(?:\w+\s+){0,2}?(?:which|who|whose|what)\b[^?]*?\bor\b", re.IGNORECASE)


def subquestions(question: str) -> list[SubQuestion]:
    """The parts of a question. A part that speaks of "it" depends on the part before and says {q1} in its place.

    A question word alone asks of what the part before is about, the first of what the next is: "When did it close, and why?".
    """
    question = (
        question.strip() if "?" in question else question.strip().rstrip(".")
    )  # "Compare A and B." is no question
    pieces = (listed for joint in _JOINT.split(question) for listed in _listed(joint))
    parts = [p for p in (p.strip(" ,?;") for p in pieces) if p] or [question.rstrip("?") or question]
    whole = _date_of_all(question, parts)
    spoken = _with_doings(parts)
    parts = [part for part, _ in spoken]
    found: list[SubQuestion] = []
    for number, (part, is_full) in enumerate(spoken):
        before = found[-1] if found else None
        if _is_bare(part) and before and _unasked(before.text):
            text, asked = (f"{part} {_unasked(words)}" for words in (before.text, before.asked))
            depends = before.depends_on
        else:
            rest = next(filter(None, map(_unasked, parts[number + 1 :])), "") if _is_bare(part) and not before else ""
            part = f"{part} {rest}".strip()
            text, needs = _resolve(part, before.id, before.text) if before and not is_full else (part, False)
            depends = (before.id,) if before and needs else ()
            asked = part if needs else text
        found.append(
            SubQuestion(
                id=f"q{len(found) + 1}",
                text=_sentence(text),
                asked=_sentence(asked),
                kind=asked_kind(part),
                depends_on=depends,
                as_of=asked_date(text) or whole,
            )
        )
    return found


def _with_doings(parts: Sequence[str]) -> list[tuple[str, bool]]:
    """The parts, each with whether nothing in it stands for anything else.

    Behind a question for how something is done what "it" takes is said in full. Where nothing tells what "it" is, the part stays with
    the one ahead.
    """
    found: list[tuple[str, bool]] = []
    for part in parts:
        earlier = found[-1][0] if found else ""
        is_it = (
            _IT.search(part) is not None
            and not _PRONOUN.search(earlier)
            and first_asked(earlier) in _NO_THING - _PERSONS
        )
        if is_it and (said := _taken(part, earlier)):
            found.append((said, True))
        elif is_it and not _thing(earlier):
            found[-1] = (f"{earlier}, and {part[0].lower()}{part[1:]}", found[-1][1])
        else:
            found.append((part, False))
    return found


def _taken(part: str, earlier: str) -> str:
    """ "How long does it take" with what an `earlier` part asks about: "... take a ship to moor"; "" where nothing is done there."""
    words = part.casefold().split()
    doing = _doing(earlier) if first_asked(earlier) == "how" and words[-2:-1] == ["it"] and words[-1] in _TAKE else ""
    return f"{part} {doing}" if doing else ""


def _doing(question: str) -> str:
    """Of "how does a ship moor at the quay" that which is done: "a ship to moor at the quay", "the cable to be laid"; "" of others."""
    tokens = [asking.Thing(m.group(), *m.span()) for m in re.finditer(r"\S+", question)]
    tags = speech.question_tags([token.text for token in tokens])
    at = next((n for n, token in enumerate(tokens) if token.text.casefold() in _AUXILIARIES), len(tokens))
    is_passive = tags[at : at + 1] != [] and tags[at].startswith("VB")
    verbs = speech.PARTICIPLES | speech.PAST if is_passive else speech.BARE
    verb = next((n for n in range(at + 2, len(tokens)) if tags[n] in verbs), len(tokens))
    doer, done = (" ".join(token.text for token in side) for side in (tokens[at + 1 : verb], tokens[verb:]))
    return f"{doer} {'to be' if is_passive else 'to'} {done}" if done else ""


_IT = re.compile(r"\bit\b", re.IGNORECASE)
_TAKE = frozenset(("take", "takes", "took"))


def _listed(part: str) -> list[str]:
    """A part at the commas between its questions: each asks, and has a verb of its own ("how fast, how large is it" is one)."""
    found: list[str] = []
    for piece in _LISTED.split(part):
        if found and not (_asks(found[-1]) and speech.is_clause(piece)):
            found[-1] = f"{found[-1]}, {piece}"
        else:
            found.append(piece)
    return found


def _asks(clause: str) -> bool:
    """Whether a clause asks by itself: "when it rains, …" says when, "when is it built, …" asks."""
    first = _FIRST_ASKED.search(clause)
    if first is None or not speech.is_clause(clause):
        return False
    behind = clause[first.end() :].split(maxsplit=1)
    return first.group().casefold() not in ("when", "where") or (bool(behind) and behind[0].casefold() in _AUXILIARIES)


def _date_of_all(question: str, parts: list[str]) -> str:
    """The date that bounds every part: ahead of the first question word, or in the last part. Elsewhere it is that of its own part."""
    first = _FIRST_ASKED.search(question)
    return asked_date(question[: first.start()] if first else "") or asked_date(parts[-1] if parts else "")


def _is_bare(part: str) -> bool:
    """Whether a part is a question word alone: "by whom", "since when"."""
    words = part.casefold().split()
    return FUNCTION_WORDS.issuperset(words) and _AUXILIARIES.isdisjoint(words)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}?"


def _resolve(part: str, before: str, earlier: str) -> tuple[str, bool]:
    """`part` with its first pronoun replaced: by the thing the `earlier` part names, or by a reference to its answer."""
    match = _PRONOUN.search(part)
    if match is None:
        return part, False
    named = _meant(match.group().lower(), earlier)
    possessive = "'s" if match.group().lower() in _POSSESSIVE else ""
    return f"{part[: match.start()]}{named or f'{{{before}}}'}{possessive}{part[match.end() :]}", not named


def spoken_of(words: str, earlier: str, answer: str) -> str:
    """`words` with their first pronoun replaced by what an `earlier` question names, or by its answer; the same without either.

    "What is SDAR?" has no answer of a few words: where none is known, the one name that it names is meant.
    """
    match = _PRONOUN.search(words)
    named = (_meant(match.group().lower(), earlier) or answer or _only_name(earlier)) if match else ""
    if match is None or not named:
        return words
    possessive = "'s" if match.group().lower() in _POSSESSIVE else ""
    return f"{words[: match.start()]}{named}{possessive}{words[match.end() :]}"


def _only_name(text: str) -> str:
    text = claimed(text) or text
    names = {text[s:e] for s, e, kind in typed_spans(text) if kind is MaskKind.ENTITY}
    return names.pop() if len(names) == 1 else ""


def is_asked(text: str) -> bool:
    """Whether words ask something: with a question word, or to be answered by yes or no."""
    return bool(first_asked(text) or claimed(text))


def names_something(text: str) -> bool:
    """Whether a question names a thing of its own."""
    return any(kind is MaskKind.ENTITY for _, _, kind in typed_spans(text))


def _meant(pronoun: str, earlier: str) -> str:
    """The name a pronoun stands for, "" when it stands for the earlier answer.

    "Who built X, and when was it opened": it is X, he is who built it. "When did X die, and where did he live": X. "Which barge won,
    and who built it": the answer.
    """
    earlier = claimed(earlier) or earlier  # an auxiliary that opens a question is part of no name
    first = _FIRST_ASKED.search(earlier)
    word = first.group().lower() if first else ""
    if pronoun in ("it", "its") and word in _NO_THING:
        return _thing(earlier)
    names = _names(earlier)
    person = word in ("who", "whom", "whose")
    of_a_thing = word in ("what", "which") and asked_kind(earlier) != "NUMBER"
    return "" if person or of_a_thing or not names else earlier[slice(*names[-1])]


_PERSONS = frozenset("who whom whose".split())
_NO_THING = _PERSONS | frozenset("when where how why".split())  # what these ask for is no "it"


def _thing(text: str) -> str:
    """The first thing that a text names or speaks of as "the mill by the lake"; "" where it does neither, and where another thing
    stands ahead: of "how does a ship moor at Orta" nothing tells that "it" is Orta.
    """
    places = [*_names(text), *filter(None, [speech.definite(text)])]
    start, end = min(places, key=lambda place: (place[0], -place[1]), default=(0, 0))
    words = [match.span() for match in re.finditer(r"[^\W_]+", text)]
    opens = next((last for first, last in words if text[first:last].casefold() in _AUXILIARIES), 0)
    ahead = [last for first, last in speech.names(text) if opens <= first and last <= start]
    return "" if opens and ahead else text[start:end]


def _names(text: str) -> list[tuple[int, int]]:
    """Where the names of a text stand, each with its article."""
    found = [(s, e) for s, e, kind in typed_spans(text) if kind is MaskKind.ENTITY]
    return [(s - 4 if text[:s].endswith("the ") else s, e) for s, e in found]


def asked_kind(question: str) -> Kind:
    """NUMBER when the first question word asks for a figure or a date; names need no slot of their own, so else TEXT."""
    first = _FIRST_ASKED.search(question)
    return "NUMBER" if first and _NUMBER_ASKED.match(question, first.start()) else "TEXT"


def first_asked(question: str) -> str:
    """The first question word, casefolded; "" without one."""
    first = _FIRST_ASKED.search(question)
    return first.group().casefold() if first else ""


def stated(question: str, answer: str) -> str:
    """The question without the words it asks with, and the answer behind it: "designed the bridge Tom Reeve."."""
    return f"{_unasked(question) or question.rstrip(' ?')} {answer}."


def granted(question: str) -> str:
    """What a question takes for granted, as a claim: "did the mill close in 1990."; "" where it has no question word."""
    rest = _unasked(question)
    return f"{rest}." if rest else ""


def _unasked(question: str) -> str:
    """The question without its first question word; "" without one."""
    words = question.rstrip(" ?.")
    asks = _FIRST_ASKED.search(words)
    return f"{words[: asks.start()]}{words[asks.end() :]}".strip() if asks else ""


def claimed(question: str) -> str:
    """What a question to be answered by yes or no asks about, as a claim: "Was the mill closed?" asks about "was the mill closed.".

    The words keep their order: verdicts on such claims are as right as on the claims in a statement's. "" where a question does not
    begin with an auxiliary verb, and where it may let one choose.
    """
    first, _, rest = question.strip().rstrip(" ?.").partition(" ")
    words = rest.casefold().split()
    is_one = (
        "?" not in question.strip()[:-1] and bool(words) and not words[0][0].isdigit()
    )  # "May 2024 prices?" asks for prices
    is_asked = is_one and first.casefold() in _AUXILIARIES and "or" not in words
    return f"{first.casefold()} {rest.strip()}." if is_asked else ""


def is_turned(clause: str) -> bool:
    """Whether a clause asks whether something is so, or which of two things: its auxiliary verb opens it, behind an "and" too."""
    opening = clause.casefold().removeprefix("and ").split(maxsplit=1)
    return bool(opening) and opening[0] in _AUXILIARIES


def alternatives(question: str) -> list[str]:
    """The two things a question lets one choose between: "Which is older, A or B?" names A and B; otherwise none."""
    match = _OR.match(question)
    if match is None:
        return []
    names = [(s, e) for s, e, kind in typed_spans(question) if kind is MaskKind.ENTITY]
    before = [question[s:e] for s, e in names if e <= match.end()]
    after = [question[s:e] for s, e in names if s >= match.end()]
    return [before[-1], after[0]] if before and after else []


def resolved(question: SubQuestion, answers: dict[str, str]) -> str | None:
    """The text to ask, with the answers it depends on put in; None while one is missing."""
    if any(q not in answers for q in question.depends_on):
        return None
    text = question.text  # a person's words: braces in them are just text
    for other in question.depends_on:
        text = text.replace(f"{{{other}}}", answers[other])
    return text
