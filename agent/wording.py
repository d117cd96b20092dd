"""Texts told apart by their wording and meaning: a linear classifier over hashed words and pairs of words, and vectors, small enough
for JSON.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from itertools import pairwise, takewhile
from typing import Any

import numpy as np
import regex  # type: ignore[import-untyped]
from numpy.typing import NDArray

from palimpsest.retrieval.types import Frozen

from . import speech

_WORDS = regex.compile(r"[\p{L}\p{M}]+|\d[\d.,]*|%|\?")
START, FIGURE = "^", "0"


class LinearText(Frozen):
    """`weights[label]` is a row of one weight a bucket, in hundredths; `offsets` are in the same order as `labels`.

    `meaning[label]` is a row of one weight for each number of a text's vector, in hundredths; without it only words tell.
    """

    labels: tuple[str, ...]
    offsets: tuple[float, ...]
    weights: tuple[tuple[int, ...], ...]
    meaning: tuple[tuple[int, ...], ...] = ()

    @property
    def num_buckets(self) -> int:
        return len(self.weights[0])

    def probabilities(self, texts: Sequence[str], vectors: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
        """[len(texts), len(labels)]; rows sum to 1. `vectors` [len(texts), d], of length 1, where it was fitted with them.

        Vectors of another width are another embedder's, and say nothing to it.
        """
        table = np.array(self.weights, dtype=np.float64).T / 100.0  # [buckets, labels]
        rows = [buckets(text, self.num_buckets) for text in texts]
        logits = np.array([table[row].sum(axis=0) * scale(row) for row in rows]).reshape(-1, len(self.labels))
        if self.meaning and vectors is not None and vectors.shape[1] == len(self.meaning[0]):
            logits = logits + vectors @ np.array(self.meaning, dtype=np.float64).T / 100.0
        return softmax(logits + np.array(self.offsets))

    def log_odds(self, texts: Sequence[str], *labels: str) -> NDArray[np.float64]:
        """[len(texts)], the natural logarithm of the odds that one of the labels holds."""
        columns = [self.labels.index(label) for label in labels]
        found = np.clip(self.probabilities(texts)[:, columns].sum(axis=1), 1e-3, 1 - 1e-3)
        odds: NDArray[np.float64] = np.log(found / (1 - found))
        return odds


def softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def words(text: str) -> list[str]:
    """Casefolded words; every figure is the same word, so that no figure is learnt by heart."""
    return [FIGURE if word[0].isdigit() else word for word in _WORDS.findall(text.casefold())]


def buckets(text: str, num_buckets: int) -> list[int]:
    """The numbers of the buckets that the words and the pairs of neighbours fall in, each once, the opening word marked as such."""
    found = words(text)
    pairs = [f"{one} {other}" for one, other in zip([START, *found], found, strict=False)]
    return sorted({zlib.crc32(gram.encode()) % num_buckets for gram in (*found, *pairs)})


def scale(row: Sequence[int]) -> float:
    """A long text counts no more than a short one."""
    return 1.0 / math.sqrt(max(len(row), 1))


DENYING = frozenset("not no never without none neither cannot".split())


def denials(text: str) -> int:
    """How many words of a text deny."""
    found = text.casefold().replace("’", "'").split()
    return sum(word.strip('.,;:!?"()') in DENYING or word.endswith("n't") for word in found)


def denies(text: str) -> bool:
    """Whether a text holds an odd number of words that deny: two of them take each other back."""
    return denials(text) % 2 == 1


LEANING = frozenset(  # English words that, opening a sentence, point back to the one before
    """he she it they his her hers its their theirs him them himself herself itself themselves however therefore thus hence
    moreover furthermore additionally nevertheless nonetheless instead otherwise consequently accordingly conversely likewise
    similarly meanwhile but so yet and or nor also then further specifically particularly others""".split()
)
OPENINGS = (  # words in a row that do so
    "in contrast", "by contrast", "in particular", "in addition", "as such", "as well", "as a result", "on the other hand",
    "for example", "for instance", "in other words", "the former", "the latter", "the other", "the others",
    "since then", "until then", "by then", "from then",
)  # fmt: skip
NO_OPENINGS = (
    "in contrast to",
    "by contrast to",
    "in contrast with",
    "in addition to",
)  # what follows is said in the same breath
PAIRED = {"both": "and", "neither": "nor"}  # "both weirs" were named before, "both Orta and Como" are named here
REPLY = regex.compile(
    r"\s*(?:yes|no)[.,;:!–—](?!\s*\d)", regex.IGNORECASE
)  # the question stands before it; "No. 7" is none
GOES_ON = frozenset("and but so because then".split())  # what else than the asking is told behind
ASKING = frozenset("ask asks asked asking wonder wonders wondered enquire enquired inquire inquired".split())
ASKED = frozenset("whether if why how what who which where when".split())
ASKED_OF = 4  # words between the verb and what is asked: "asked the harbour board whether"
COUNTED = ("second,", "third,", "fourth,", "fifth,")
DEMONSTRATIVES = frozenset("this that these those such".split())
# What a text calls itself. Nothing was said before the opening sentence of an abstract: of 12,000 of arXiv "this paper", "this study"
# and the rest stand there in one of eight places or more, "this approach" and all others in at most one of eleven. A trial is one too.
OWN_NAMES = frozenset(
    "paper work article study research report thesis note chapter letter contribution manuscript trial".split()
)
PERSONS = frozenset("he she they him them".split())  # "it" and "its" mostly stand for what their own sentence names
PRONOUNS = PERSONS | {"his", "her", "their"}
OPENING = 4  # words
AHEAD_OF_IT, FIGURE_BEHIND = 9, 3  # words that may stand ahead of "it", and behind it up to its figure
ONES = frozenset(("one", "ones"))  # "a smaller one"
# What ends the clause of the first verb: what is spoken of behind it may have been named in that clause.
CLAUSE_MARKS, CLAUSE_WORDS = frozenset(";:("), frozenset("and but which who whose that".split())
VERBAL = speech.FINITE | {"AV0"}  # what stands right behind a subject: its verb, or an adverb
GROUP = 2  # words between the parts of one verb: "does not allow"
WRITERS = frozenset("we our us i my".split())
NAMED_AHEAD = frozenset(
    ("one", "either", "both", "each", "two", "neither")
)  # brings in what "the other" is the other of
INDEFINITE = frozenset(("a", "an", "one", "another"))
BROUGHT_IN = 4  # words that may stand between "a" and the end of the name it brings in
REACH = 40  # words of a sentence that are looked at


def leans(text: str) -> bool:
    """Whether a sentence needs the one before: it replies, opens with a connective, its verb or "the second one", speaks of "they"
    ahead of any name or noun, or its first clause speaks of "this" or "that baseline". "This paper" is the text's own name.
    """
    found = words(text)
    opening = " ".join(found[:4]) + " "
    if REPLY.match(text) or found[:2] == ["that", "s"] or _is_about_it(text, found):
        return True
    if (found[:1] and found[0] in LEANING) or text.casefold().startswith(COUNTED):
        return True
    if opening.startswith(tuple(f"{row} " for row in OPENINGS)) and not opening.startswith(NO_OPENINGS):
        return True
    if found[:1] and (PAIRED.get(found[0], found[0]) not in found or _is_of_a_row(text)):
        return True
    if text[:1].islower() and "?" not in text and _has_no_subject(text):
        return True
    if _opens_with_a_later_one(text) or _speaks_of_the_other(found):
        return True
    return not (DEMONSTRATIVES | PERSONS | ONES).isdisjoint(found) and _points_back(speech.tokens(text)[:REACH])


def _is_about_it(text: str, found: Sequence[str]) -> bool:
    """Whether a figure is said of "it" behind an opening phrase: "Among people under 50 it was 3%"."""
    if "it" not in found[1:AHEAD_OF_IT]:
        return False
    tokens = speech.tokens(text)[:REACH]
    tags = speech.tags(tokens)
    at = next((n for n, token in enumerate(tokens) if token.casefold() == "it"), len(tokens))
    opens = tags[:1] != () and tags[0][:2] == "PR" and speech.FINITE.isdisjoint(tags[:at])
    said = list(tokens[at + 1 : at + 1 + FIGURE_BEHIND])
    return opens and said[:1] != [] and said[0] in ("is", "was") and any(map(str.isdigit, "".join(said)))


def asks(text: str) -> bool:
    """Whether a sentence states nothing: it is a question, or says only that somebody asked one."""
    if text.rstrip().endswith("?"):
        return True
    found = words(text)
    at = next((n for n, word in enumerate(found) if word in ASKING), len(found))
    asked = next((n for n in range(at + 1, min(at + 2 + ASKED_OF, len(found))) if found[n] in ASKED), 0)
    is_reported = asked > 0 and ASKED.isdisjoint(found[:at]) and GOES_ON.isdisjoint(found[asked:])
    # "asked the miller who owns the weir to repair it"
    is_of_a_noun = asked > at + 1 and found[asked] in ("who", "which")
    return is_reported and not is_of_a_noun and "," not in text and FIGURE not in found


def _opens_with_a_later_one(text: str) -> bool:
    """Whether a text opens with a later thing of a row that was counted before: "The second approach is cheaper"."""
    tokens = speech.tokens(text)[:REACH]
    tags = speech.tags(tokens)
    opening = [token.casefold() for token in tokens[:2]]
    if opening[:1] != ["the"] or opening[1:] == ["first"] or tags[1:2] != ("ORD",):
        return False
    name = list(takewhile(lambda tag: tag[:2] in ("AJ", "NN"), tags[2:]))
    return bool(name) and not speech.FINITE.isdisjoint(tags[2 + len(name) : 3 + len(name)])


def _speaks_of_the_other(found: Sequence[str]) -> bool:
    """Whether a text speaks of "the other" of two of which it does not name the one."""
    at = next((n for n, pair in enumerate(pairwise(found)) if pair == ("the", "other")), len(found))
    return at + 2 < len(found) and not NAMED_AHEAD.intersection(found[:at])


def _is_of_a_row(text: str) -> bool:
    """Whether a text is a later piece of a row that was counted: "2) the toll"."""
    mark = text.split(maxsplit=1)[0]
    return mark.endswith(")") and mark[:-1].isdigit()


def takes_up(text: str, before: str) -> bool:
    """Whether a sentence opens with "the survey" where the one before it brought in "a survey"."""
    tokens = speech.tokens(text)[:REACH]
    if not tokens or tokens[0].casefold() != "the":
        return False
    named = list(
        takewhile(lambda pair: pair[1][:2] in _DESCRIBED, zip(tokens[1:], speech.tags(tokens)[1:], strict=True))
    )
    heads = [token.casefold() for token, tag in named if tag[:2] == "NN"]
    earlier = [token.casefold() for token in speech.tokens(before)]
    at = (n for n, token in enumerate(earlier) if heads and token == heads[-1])
    return any(not INDEFINITE.isdisjoint(earlier[max(n - BROUGHT_IN, 0) : n]) for n in at)


def opens_with_another(text: str) -> bool:
    """Whether a sentence is about somebody or something that only a pronoun at its opening names."""
    found = words(text)[:OPENING]
    return bool(found) and (found[0] in PRONOUNS or not PERSONS.isdisjoint(found)) and leans(text)


def opens_with_this(text: str) -> bool:
    """Whether a sentence is about something that only a "this" without a noun names: "This would become …", "These also leak"."""
    tokens = speech.tokens(text)[:REACH]
    return len(tokens) > 1 and tokens[0].casefold() in DEMONSTRATIVES and speech.tags(tokens)[1] in VERBAL


def _has_no_subject(text: str) -> bool:
    """Whether a sentence begins with its verb: what it is said of was cut off."""
    return bool(tags := speech.tags(speech.tokens(text)[:REACH])) and tags[0] in speech.FINITE


def _points_back(tokens: tuple[str, ...]) -> bool:
    """Whether "they" or "a smaller one" stands ahead of all nouns, or a demonstrative of the first clause stands for something that was
    spoken of before, or before its name.
    """
    tags = speech.tags(tokens)
    named = next((n for n, tag in enumerate(tags) if tag[:1] == "N" or tag == "UNC"), len(tags))
    ahead = [token.casefold() for token in tokens[:named]]
    if not PERSONS.isdisjoint(ahead) or any(
        word in ONES and tag[:2] == "AJ" for word, tag in zip(ahead[1:], tags, strict=False)
    ):
        return True
    end = _first_clause(tokens, tags)
    return any(
        _is_back(tokens[n:], tags[n:])
        for n in range(end)
        if tokens[n].casefold() in DEMONSTRATIVES and not _is_relative(tokens, tags, n)
    )


def _is_relative(tokens: Sequence[str], tags: Sequence[str], n: int) -> bool:
    """Whether a "that" goes on from the noun before it: "an engine that runs"."""
    return tokens[n].casefold() == "that" and n > 0 and tags[n - 1][:1] == "N"


def _first_clause(tokens: Sequence[str], tags: Sequence[str]) -> int:
    """Where the clause of the first verb ends: at the next verb, or at what joins or parts clauses."""
    finite = [n for n, tag in enumerate(tags) if tag in speech.FINITE]
    if not finite:
        return len(tags)
    ends = [other for one, other in pairwise(finite) if other - one > GROUP]
    ends += [n for n in range(finite[0], len(tags)) if _parts_clauses(tokens[n:], tags[n:])]
    return min([*ends, len(tags)])


def _parts_clauses(tokens: Sequence[str], tags: Sequence[str]) -> bool:
    """Whether the word that these begin with ends a clause."""
    word = tokens[0].casefold()
    if word in CLAUSE_MARKS or word not in CLAUSE_WORDS:
        return word in CLAUSE_MARKS
    return _opens_a_clause(tokens, tags) if word == "that" else tags[0] != "DT0"


def _is_back(tokens: Sequence[str], tags: Sequence[str]) -> bool:
    """Whether the demonstrative that words begin with points back: it stands alone, or before a noun that is no name of the text."""
    word, rest = tokens[0].casefold(), tags[1:]
    if word == "that" and (
        _opens_a_clause(tokens, tags) or (rest[:1] and rest[0][:2] in ("AT", "PN", "DP", "DT"))
    ):  # "we show that …"
        return False
    is_forward = word == "those" and rest[:1] and rest[0][:2] in ("PR", "PN", "DT", "VV")  # "those who", "those of"
    if is_forward or [t.casefold() for t in tokens[:2]] == ["such", "as"]:
        return False
    name = list(
        takewhile(
            lambda pair: pair[1][:2] in _OF_NAMES and pair[1] not in speech.FINITE, zip(tokens[1:], rest, strict=True)
        )
    )
    nouns = [token.casefold() for token, tag in name if tag[:1] == "N"]
    return not nouns or nouns[-1] not in OWN_NAMES or word != "this"


def _opens_a_clause(tokens: Sequence[str], tags: Sequence[str]) -> bool:
    """Whether words begin with the "that" of a clause: a verb follows ahead of the next one, as in "we show that weirs leak", not in
    "broke that record in May, and leaks". The tagger takes either for a conjunction.
    """
    if tags[0] == "DT0":
        return False
    ends = (
        n for n, (one, other) in enumerate(pairwise(tokens)) if one in ";:" or (one == "," and other in ("and", "but"))
    )
    verbs = speech.FINITE | speech.PARTICIPLES
    return not verbs.isdisjoint(tags[1 : next(ends, len(tags))])


_DESCRIBED = frozenset(
    ("AJ", "CR", "OR", "NN", "NP", "UN")
)  # what may stand between "the" and the end of what it names
_OF_NAMES = frozenset(
    ("AJ", "AV", "CR", "OR", "NN", "NP", "VV", "UN")
)  # what may stand between "this" and the end of what it names


def speaks_of_itself(text: str) -> bool:
    """Whether a sentence speaks of its writers or of the text that it stands in: "we", "this paper"."""
    found = words(text)
    return not WRITERS.isdisjoint(found) or any(
        one in ("this", "present") and other in OWN_NAMES for one, other in pairwise(found)
    )


def defines(text: str, name: str) -> bool:
    """Whether a sentence opens by saying what a name is: "X is a …", "X was the …"."""
    opening = rf"(?:the )?{regex.escape(name)}(?: \([^)]*\))? (?:is|are|was|were) (?:an?|the|one) "
    return regex.match(opening, text.strip(), regex.IGNORECASE) is not None
