"""What is asked: the kind of a question, the things and attributes it names, its scope and its parts.

Pure: the model comes as a function.

The kind decides the form of the report; the names are spans of the question itself. Nothing is guessed where nothing is sure: then
the kind is open, no thing is named, and the question stays whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Literal, NamedTuple

import numpy as np
import regex  # type: ignore[import-untyped]
from numpy.typing import NDArray

from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.types import Frozen

from . import speech, thresholds
from .wording import LinearText

AskedKind = Literal["fact", "yes-no", "comparison", "list", "effect", "open"]
Classify = Callable[[str], Mapping[str, float]]  # a question to probabilities of KINDS
Embed = Callable[[Sequence[str]], NDArray[np.float32]]  # texts to rows of length 1
Occurs = Callable[[str], bool]  # whether a phrase stands in the evidence, or wherever the caller looks

KINDS = ("fact", "polar", "compare", "reason", "how", "survey", "debate")
FORM: dict[str, AskedKind] = {
    "fact": "fact", "polar": "yes-no", "compare": "comparison", "reason": "open", "how": "open", "survey": "open", "debate": "effect",
}  # fmt: skip
MAX_PARTS = 6  # sub-questions of one question
MAX_THING_WORDS = 5

_TOKEN = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:[-–'’./+][\p{L}\p{M}\p{N}]+)*|[,;:?!()]|\.(?=\s|$)")
_CLAUSE = regex.compile(r"(?<=[:;?.])\s+")
_PIECE = regex.compile(r"\s*(?:[,;:?.](?=\s|$)|\b(?:and|or)\b)\s*")
_COMPARING = frozenset("compare compares compared comparing differ differs differed better best worse worst".split())
_TURNED = frozenset("do does did is are was were has have had can could will would".split())
MAX_ATTRIBUTES, MAX_ATTRIBUTE_WORDS = 5, 7
_ASIDE = regex.compile(r"\([^()]*\)")
_ASKING = frozenset("why how what which who whom whose when where".split())
_ARTICLES = frozenset("a an the".split())
_COORDINATORS = frozenset("and or versus vs nor".split())
FUNCTION_WORDS = frozenset(  # the closed classes of English that no name of a thing begins or ends with
    """a an the this that these those each every both either neither some any no all which what who whom whose how why when where
    whether is are was were be been being do does did has have had can could may might must shall should will would of in on at by
    for to from with without as than between among against over under into onto about after before during through per via it its
    they them their he she his her we us our you your i my not if so but yet there here also more most less least very too
    and or nor because although though while until since however also than other another such own same""".split()
)


class Thing(NamedTuple):
    """A name in the question: question[start:end] == text."""

    text: str
    start: int
    end: int


class Asked(Frozen):
    """`things` are compared by `attributes`; `scope` are the figures and dates that bound the question; `parts` are asked one by one.

    `probability` is that of the kind, as the classifier gave it.
    """

    question: str
    kind: AskedKind
    probability: float
    things: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


def asked(question: str, classify: Classify, occurs: Occurs | None = None) -> Asked:
    """What a question asks. A comparison of fewer than two things is open; so is a kind that the classifier is not sure of.

    A comparison need only be likeliest where the question says that it compares: "Compare the Orta Canal and the Selm Canal."
    """
    found = classify(question)
    label = max(found, key=lambda kind: found[kind])
    probability = float(found[label])
    told = told_apart(question)
    groups = [told] if told else coordinations(question, occurs)
    things = _things(groups)
    is_said = FORM[label] == "comparison" and not _COMPARING.isdisjoint(question.casefold().split())
    kind: AskedKind = FORM[label] if is_said or probability >= thresholds.SHIPPED.sure_kind else "open"
    if kind == "comparison" and len(things) < 2:
        kind = "open"
    compares = kind == "comparison"
    return Asked(
        question=question, kind=kind, probability=probability, things=things if compares else (),
        attributes=attributes(question, groups[0]) if compares else (), scope=_scope(question), parts=tuple(parts(question)),
    )  # fmt: skip


def told_apart(question: str) -> list[Thing]:
    """What letters or numbers tell apart: "models A, B and C" are model A, model B and model C; none of other questions."""
    tokens = [Thing(m.group(), *m.span()) for m in _TOKEN.finditer(question)]
    tags = speech.tags(tuple(token.text for token in tokens))
    for noun, tag in enumerate(tags):
        row = list(takewhile(lambda token: _LABEL.fullmatch(token.text) or token.text in _AMONG, tokens[noun + 1 :]))
        labels = [token for token in row if token.text not in _AMONG]
        if tag == "NN2" and len(labels) > 1 and row[0] in labels:
            one = speech.singular(tokens[noun].text)
            return [Thing(f"{one} {token.text}", token.start, token.end) for token in labels]
    return []


_LABEL = regex.compile(r"[A-Z]|\d{1,2}")
_AMONG = frozenset((",", "and", "or", "versus", "vs"))


def plain_question(question: str) -> str:
    """A question without what tells its source and not its kind: capitals, and how it ends."""
    return question.lower().rstrip(" ?.") + "?"


def by_wording(kinds: LinearText, vectors: Embed | None = None) -> Classify:
    """The classifier of a model that has no slot for kinds: the mean over the question and its opening clause."""

    def classify(question: str) -> Mapping[str, float]:
        opening = _CLAUSE.split(question.strip(), maxsplit=1)[0]
        texts = [plain_question(question), plain_question(opening)]
        found = kinds.probabilities(texts, vectors(texts) if vectors else None).mean(axis=0)
        return dict(zip(kinds.labels, map(float, found), strict=True))

    return classify


def _things(groups: Sequence[Sequence[Thing]]) -> tuple[str, ...]:
    """The first coordination names the things."""
    return tuple(dict.fromkeys(_plain(thing) for thing in groups[0])) if groups else ()


def _plain(thing: Thing) -> str:
    """A name without the blanks that stand for brackets."""
    return " ".join(thing.text.split())


def attributes(question: str, things: Sequence[Thing]) -> tuple[str, ...]:
    """What is asked of the things: the pieces between commas and coordinators behind them, without the small words ahead of each.

    Where a colon or a full stop closes the clause that names the things, the pieces begin behind it. Words right behind the last
    thing belong to its name: "the Great hall and the Blue room".
    """
    question = _without_asides(question)
    end = things[-1].end if things else len(question)
    rest = (Thing(m.group(), *m.span()) for m in _TOKEN.finditer(question, end))
    own = list(takewhile(lambda token: _is_name_word(token.text), rest))
    behind = question[own[-1].end if own else end :]
    clause, *others = _CLAUSE.split(behind, maxsplit=1)
    first, *more = _PIECE.split(others[0] if others else clause)
    ahead = (
        [] if first.split()[:1] == ["as"] else [_by(first)]
    )  # what they are compared as is nothing that they are compared by
    pieces = [_side(_bare(piece)) for piece in (*ahead, *more)]
    names = {thing.text.casefold() for thing in things}
    fit = (p for p in pieces if 1 <= len(p.split()) <= MAX_ATTRIBUTE_WORDS and p.casefold() not in names)
    return tuple(dict.fromkeys(fit))[:MAX_ATTRIBUTES]


def _by(piece: str) -> str:
    """Of "for cleaning paintings by dirt removal" what things are compared by."""
    ahead, _, behind = piece.rpartition(" by ")
    return behind if ahead else piece


def _bare(piece: str) -> str:
    """A piece without the function words, and the words of comparing, that it begins with."""
    found = piece.split()
    while found and found[0].casefold() in FUNCTION_WORDS | _COMPARING | {"ways", "like"}:
        found.pop(0)
    return " ".join(found)


def _side(piece: str) -> str:
    """Of "speed does it reach" the speed: what stands ahead of the verb that a question turns round."""
    found = piece.split()
    end = next((n for n, word in enumerate(found) if word.casefold() in _TURNED), len(found))
    return " ".join(found[: end or len(found)])


def _scope(question: str) -> tuple[str, ...]:
    return tuple(question[start:end] for start, end, kind in typed_spans(question) if kind is MaskKind.NUMBER)


def of_each(question: str) -> dict[str, str]:
    """What a question asks about side by side, "depression, pain and working memory", in its order, each with the question asked of it
    alone.

    Nouns with what describes them; none where "and" joins clauses, verbs or figures.
    """
    return {
        _plain(topic): f"{question[: group[0].start]}{_plain(topic)}{question[group[-1].end :]}"
        for group in _lists(question)
        for topic in group
    }


def _lists(question: str) -> list[list[Thing]]:
    """The coordinations whose names are nouns, without the verbs beside them."""
    question = _without_asides(question)
    tokens = [Thing(m.group(), *m.span()) for m in _TOKEN.finditer(question)]
    tags = speech.question_tags([token.text for token in tokens])
    found: list[list[Thing]] = []
    for group in coordinations(question):
        rows = [[n for n, t in enumerate(tokens) if t.start >= name.start and t.end <= name.end] for name in group]
        for run in _joined(rows, tags):
            names = [_noun_phrase(rows[n], tags, n == run[0], n == run[-1]) for n in run]
            if all(names) and len(names) > 1:
                places = [(tokens[name[0]].start, tokens[name[-1]].end) for name in names]
                found.append([Thing(question[start:end], start, end) for start, end in places])
    return found


def _joined(rows: Sequence[Sequence[int]], tags: Sequence[str]) -> list[list[int]]:
    """The names of a coordination in runs between which stand only marks, coordinators, articles and prepositions."""
    runs = [[0]]
    for n in range(1, len(rows)):
        between = range(rows[n - 1][-1] + 1, rows[n][0])
        if all(tags[at][:2] in _JOINING for at in between):
            runs[-1].append(n)
        else:
            runs.append([n])
    return runs


def _noun_phrase(row: Sequence[int], tags: Sequence[str], is_first: bool, is_last: bool) -> Sequence[int]:
    """The tokens of a name without the verb that may stand ahead of the first, "affect fish", and what may stand behind the last,
    "users seem to"; none where they end in no noun.
    """
    if is_first:
        row = row[max((n for n, at in enumerate(row[:-1], 1) if _is_verb(tags[at])), default=0) :]
    if is_last:
        row = list(takewhile(lambda at: not _is_verb(tags[at]), row))
        row = row[: max((n for n, at in enumerate(row, 1) if speech.is_noun(tags[at])), default=0)]
    return row if row and speech.is_noun(tags[row[-1]]) else []


def _is_verb(tag: str) -> bool:
    return tag in speech.FINITE or tag in ("VVI", "VVN")


_JOINING = frozenset(("PU", "CJ", "AT", "DP", "PR"))  # how the tags of what may stand between two names of a list begin


# The names


def coordinations(question: str, occurs: Occurs | None = None) -> list[list[Thing]]:
    """Groups of two and more names joined by "and", "or", "versus" and commas, in order.

    With `occurs` a name is cut to the longest piece that occurs. What stands in brackets names nothing.
    """
    question = _without_asides(question)
    tokens = [Thing(m.group(), *m.span()) for m in _TOKEN.finditer(question)]
    found: list[list[Thing]] = []
    for at, token in enumerate(tokens):
        if token.text.lower().rstrip(".") in _COORDINATORS and not _inside(found, token):
            taken = found[-1][-1].end if found else 0
            left, right = [r for r in _before(tokens, at) if r[0].start >= taken], _run(tokens, at + 1, 1)
            names = [_name(question, run, occurs) for run in (*left, right)]
            group = [name for name in names if name]
            if left and right and len(group) >= 2 and not _opens_a_question(tokens, at):
                found.append(group)
    return found


def _opens_a_question(tokens: Sequence[Thing], at: int) -> bool:
    """Whether a question of its own begins behind a coordinator: "and why do", ", and is"; not "how Birch decodes", "can recycling"."""
    first, second = [*(token.text.lower() for token in tokens[at + 1 : at + 3]), "", ""][:2]
    is_apart = at > 0 and tokens[at - 1].text == ","
    return (first in _ASKING and second in _TURNED) or (first in _TURNED and is_apart)


def _without_asides(question: str) -> str:
    """The question with blanks in the place of what stands in brackets: "remote (video or telephone) care"."""
    return _ASIDE.sub(lambda match: " " * len(match.group()), question)


def _inside(groups: Sequence[Sequence[Thing]], token: Thing) -> bool:
    return any(group[0].start <= token.start < group[-1].end for group in groups)


def _before(tokens: Sequence[Thing], at: int) -> list[list[Thing]]:
    """The runs before a coordinator, first one first: one, and those that commas join to it."""
    at -= 1
    if at >= 0 and tokens[at].text == ",":
        at -= 1
    runs = [_run(tokens, at, -1)]
    while runs[0]:
        at -= len(runs[0]) + _skipped(tokens, at, runs[0])
        has_article = at >= 0 and tokens[at].text.lower() in _ARTICLES
        at -= has_article
        if at < 0 or tokens[at].text != ",":
            break
        run = _run(tokens, at - 1, -1)
        if not run or (has_article and not _ends_in_noun(run)):
            break
        runs.insert(0, run)
        at -= 1
    return [run for run in runs if run]


def _ends_in_noun(run: Sequence[Thing]) -> bool:
    """Whether a run names something: "older" does not, ahead of ", the mill or the barn"."""
    return speech.is_noun(speech.tags(tuple(token.text for token in run))[-1])


def _skipped(tokens: Sequence[Thing], at: int, run: Sequence[Thing]) -> int:
    """Function words between the end of a run and where it was looked for."""
    return at - tokens.index(run[-1])


def _run(tokens: Sequence[Thing], at: int, step: int) -> list[Thing]:
    """The words of a name from `at` onwards or backwards: up to a function word, a coordinator or punctuation.

    Function words before a name are passed over: "and in the air" names air.
    """
    while step > 0 and at < len(tokens) and tokens[at].text.lower() in FUNCTION_WORDS:
        at += 1
    found: list[Thing] = []
    while 0 <= at < len(tokens) and len(found) < MAX_THING_WORDS and _is_name_word(tokens[at].text):
        found.append(tokens[at])
        at += step
    return found if step > 0 else found[::-1]


def _is_name_word(text: str) -> bool:
    word = text.lower()
    return word[0].isalnum() and word not in FUNCTION_WORDS | _COORDINATORS | _COMPARING


def _name(question: str, run: Sequence[Thing], occurs: Occurs | None) -> Thing | None:
    """The run as one name: cut to the proper name it holds, else to the longest piece that occurs; None where nothing does."""
    if run and len(run) > 1 and run[0].start == 0 and run[1].text[0].isupper():
        run = run[1:]  # the capital of "Compare LLaDA and Dream" only opens the sentence
    if not run:
        return None
    start, end = _proper(question, run)
    if start < end:
        return Thing(question[start:end], start, end)
    start, end = run[0].start, run[-1].end
    if occurs is None:
        return Thing(question[start:end], start, end)
    return next((piece for piece in _pieces(question, run) if occurs(piece.text)), None)


def _proper(question: str, run: Sequence[Thing]) -> tuple[int, int]:
    """The stretch of a run from its first to its last proper name or figure; empty where it holds no name.

    The capital that opens the question makes no name.
    """
    start, end = run[0].start, run[-1].end
    kinds = (MaskKind.ENTITY, MaskKind.NUMBER)
    spans = [
        (max(s, start), min(e, end), k) for s, e, k in typed_spans(question) if k in kinds and s < end and e > start
    ]
    kept = [(s, e) for s, e, kind in spans if s > 0 or kind is MaskKind.NUMBER or not _is_plain(question[s:e])]
    is_named = any(question[s].isupper() or any(map(str.isupper, question[s:e])) for s, e in kept)
    return (kept[0][0], _with_figures(run, kept[-1][1])) if is_named else (0, 0)


def _with_figures(run: Sequence[Thing], end: int) -> int:
    """The end of a name with the sizes and versions behind it: "Birch 7B"."""
    for token in run:
        if token.start > end and not any(map(str.isdigit, token.text)):
            break
        end = max(end, token.end)
    return end


def _is_plain(word: str) -> bool:
    return word.isalpha() and word[1:].islower()


def _pieces(question: str, run: Sequence[Thing]) -> Iterator[Thing]:
    """All stretches of the run's words, longest first."""
    for length in range(len(run), 0, -1):
        for first in range(len(run) - length + 1):
            start, end = run[first].start, run[first + length - 1].end
            yield Thing(question[start:end], start, end)


# The parts


_SENTENCE = regex.compile(r"(?<=[?.;])\s+")


def parts(question: str) -> list[str]:
    """The sentences of a question, at most MAX_PARTS; what is beyond stays with the last. One sentence stays whole."""
    found = [part.strip() for part in _SENTENCE.split(question.strip()) if part.strip()]
    return found if len(found) <= MAX_PARTS else [*found[: MAX_PARTS - 1], " ".join(found[MAX_PARTS - 1 :])]


def asks_several(question: str) -> bool:
    """Whether a question asks for several things: "Which weirs …", "What are the tolls …"; "which of", "what kind" ask for one."""
    tokens = speech.tokens(question)
    tags = speech.tags(tokens)
    at = next((n for n, token in enumerate(tokens) if token.casefold() in ("which", "what")), len(tokens)) + 1
    if at < len(tokens) and tokens[at].casefold() in ("are", "were"):
        at += 1
    name = list(takewhile(lambda n: tags[n][:2] in _OF_NAMES, range(at, len(tokens))))
    return bool(name) and tags[name[-1]] == "NN2"


def asks_for_change(question: str) -> bool:
    """Whether a question asks how something became another: "how has it changed", "how did it evolve"; not "what does it change"."""
    return bool(_changes(question))


def what_changed(question: str) -> str:
    """Of what a question asks how it changed, "the use of the ferry", casefolded; "" where it asks for no change or names nothing."""
    return next(iter(_changes(question)), "")


def _changes(question: str) -> list[str]:
    """What stands between the auxiliary and the verb where a question asks, behind "how" or "what", how something became another."""
    tokens = speech.tokens(question)
    tags, words = speech.question_tags(tokens), [token.casefold() for token in tokens]
    found: list[str] = []
    for asks in (n for n, word in enumerate(words) if word in ("how", "what")):
        clause = list(takewhile(lambda n: words[n] not in _ENDS_CLAUSE, range(asks + 1, len(words))))
        has = next((n for n in clause[:2] if words[n] in _PERFECT), len(words))
        verb = next((n for n in clause if n > has and words[n] in _BECOMING and _has_no_object(n, tags)), 0)
        found += [" ".join(words[has + 1 : verb])] if verb else []
    return found


def _has_no_object(verb: int, tags: Sequence[str]) -> bool:
    """Whether a word is a verb that is done to nothing: "did fares rise in May"; not "did the change help", "did it grow rye"."""
    return tags[verb].startswith("VV") and not "".join(tags[verb + 1 : verb + 2]).startswith(_OPENS_OBJECT)


_PERFECT = frozenset("has have had did".split())
_BECOMING = frozenset(
    """change changed evolve evolved shift shifted develop developed rise rose risen fall fell fallen grow grew grown shrink shrank
    shrunk increase increased decrease decreased decline declined drop dropped""".split()
)
_OPENS_OBJECT = ("AJ", "AT", "DP", "DT", "NN", "NP", "PN")  # how the tags of what an object begins with begin
_ENDS_CLAUSE = frozenset(("?", ";", ",", "why", "how", "what"))
_OF_NAMES = frozenset(("AT", "AJ", "CJ", "CR", "DT", "NN", "NP", "OR", "UN"))  # up to the end of what is asked for
