"""What a run knows (`ResearchState`), what it may use (`Tools`, `Budget`) and what it says (`Event`)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from palimpsest.dlm_core.kinds import SlotSpec
from palimpsest.retrieval.records import Table
from palimpsest.retrieval.types import Failure, Found, Frozen, Hit, Passage, Source, WordsOf

from .computing import Operation
from .draft import Draft, Kind, Support
from .frames import Watch
from .hypotheses import HypothesisGraph
from .numbers import UNCALIBRATED, Numbers
from .sentences import Chosen
from .steering import NOTHING, Steering

if TYPE_CHECKING:
    from .lookups import Reading, Undecided

Piece = str | SlotSpec
Side = Literal["for", "against", ""]  # which way a sentence speaks of what is asked; "" where it does not say
Form = Literal["fact", "open", "balance", "comparison", "list"]


class SubQuestion(Frozen):
    """A part of the question. `text` may hold {q1}: the answer of sub-question q1, which must be known before it is asked.

    `asked` is its heading, which outlives a changed answer: there the pronoun stands that a person put.
    """

    id: str
    text: str
    asked: str
    kind: Kind = "TEXT"  # of the answer slot
    depends_on: tuple[str, ...] = ()
    as_of: str = ""  # ISO date, as precise as asked: later sources do not count; "" for now
    form: Form = "fact"  # one answer, or sections of a report
    things: tuple[str, ...] = ()  # that an open question names: what a comparison compares
    operation: Operation = "value"  # what is done with the rows of a table that are meant
    by_record: bool = False  # asked of tables alone: prose is for the sections of the open question beside it
    attributes: tuple[str, ...] = ()  # by which a comparison compares them
    remainder: str = ""  # of an open question beside facts, what is left to it, where that stands by itself
    tentative: bool = (
        False  # a fact that may not be asked for: an answer that is not sure is left out rather than listed as open
    )
    asked_in: int = 1  # the version it came with; a later one is a follow-up question

    @model_validator(mode="before")
    @classmethod
    def _without_topics(cls, held: Any) -> Any:
        """Runs of 2026-11-27 kept what is told from the text since."""
        return {name: value for name, value in held.items() if name != "topics"} if isinstance(held, dict) else held

    @property
    def is_open(self) -> bool:
        """Whether it is answered by sections rather than by one answer."""
        return self.form != "fact"


class PlanItem(Frozen):
    """One thing to find out, in the words that a person sees and may change: what form its answer has, and what bounds it.

    `question` is what the planner made of just these words; None where a person wrote them.
    """

    words: str
    kind: str = ""  # a form of SubQuestion; "" leaves it to the planner
    scope: str = ""
    question: SubQuestion | None = None


class Query(Frozen):
    """A query asked, for which sub-question and why: the question itself, a bridge entity, or a claim to be checked.

    Its words are a person's, or stand in the typed `slots` (span ids, or "<question>.bridge"): a document's words are never a query
    in any other way.
    """

    text: str
    question: str
    reason: Literal["question", "bridge", "outline", "check", "person"]
    slots: tuple[str, ...] = ()
    asked: bool = False


class Note(Frozen):
    """Why a sub-question that evidence speaks of stays open, in a sentence; with the place of a source that it quotes."""

    question: str
    text: str
    support: Support | None = None


class Find(Frozen):
    """By which query a passage was found, at which rank (from 1) and with which score, comparable within that query only."""

    passage: str
    query: str
    rank: int
    score: float


class Conflict(Frozen):
    """Two held sources that disagree about one place of a claim: the sentence that stands, what the other says, and why."""

    id: str
    hypothesis: str
    kept: Support
    other: Support
    reason: str


Reason = Literal["contradicted", "unsure", "dependent", "person", "new evidence", "edit", "ban"]
REASONS: tuple[Reason, ...] = get_args(Reason)


class Revision(Frozen):
    """One change, and why. `span` is what was wrong, `reopened` all spans that were opened for it, those that depend on it too.

    `before` and `after` are the model's probabilities, with the new evidence before it: for words of a claim, that the evidence
    supports the sentence as it was and as it is; for an answer, that it is right.
    """

    version: int
    span: str
    reopened: tuple[str, ...]
    old: str
    new: str
    reason: Reason
    evidence: str | None  # a passage id
    before: float | None = None
    after: float | None = None
    steps: int = 0
    is_gone: bool = False  # the block left the report, where other open places say "not established"


PASSAGE_CHARACTERS = 500  # of a passage as it is cut from prose; a statement or a row may be much shorter
MOST_PASSAGES = 5  # times as many passages are read where they are short


class Budget(Frozen):
    """Limits of a run. `rounds` of search; `passages` read a query; `claims` a sub-question; `seconds` of wall clock, 0 for none.

    `reading` passages are read of an open question, of short ones as many more as make the same text; `characters` are quoted.
    """

    rounds: int = 3
    passages: int = 8
    claims: int = 3
    reading: int = 40
    characters: int = 4000
    seconds: float = 0.0

    def fills(self, lengths: Sequence[int]) -> int:
        """How many passages of these `lengths` in characters, in their order, are read of an open question."""
        before = accumulate(lengths, initial=0)
        enough = self.reading * PASSAGE_CHARACTERS
        short = sum(total < enough for total in before) if lengths else 0
        return min(len(lengths), max(self.reading, min(short, self.reading * MOST_PASSAGES)))

    def asked_for(self, lengths: Sequence[int]) -> int:
        """How many passages to ask for in all where the first `reading` of an open question have these `lengths` in characters."""
        if len(lengths) < self.reading:
            return len(lengths)
        typical = max(sum(lengths) // len(lengths), 1)
        return self.fills([typical] * self.reading * MOST_PASSAGES)


class ResearchState(Frozen):
    """Everything a run knows between two steps; a step takes one and returns the next."""

    question: str
    budget: Budget = Budget()
    version: int = 1  # of the report being written; a later revision writes the next
    plan: tuple[PlanItem, ...] = ()  # that a person approved; () where the question is planned here
    steering: Steering = NOTHING  # what a person asked of this version
    round: int = 0
    questions: tuple[SubQuestion, ...] = ()
    queries: tuple[Query, ...] = ()
    evidence: tuple[Passage, ...] = ()
    withdrawn: tuple[
        Passage, ...
    ] = ()  # of sources that a person banned: held for what was said of them, not read again
    finds: tuple[Find, ...] = ()
    read: tuple[str, ...] = ()  # "<question id>/<passage id>" pairs already weighed
    fresh: tuple[str, ...] = ()  # ids of passages that came with the last search or from a person
    graph: HypothesisGraph = HypothesisGraph()
    draft: Draft = Draft()
    references: tuple[str, ...] = ()  # source ids; a citation's number is the place here, from 1
    conflicts: tuple[Conflict, ...] = ()
    revisions: tuple[Revision, ...] = ()
    failures: tuple[Failure, ...] = ()
    notes: tuple[Note, ...] = ()
    spent: float = 0.0  # seconds, the sum over steps
    cut: tuple[str, ...] = ()  # steps that the budget of seconds ended early
    finished: Literal["", "settled", "budget", "stopped"] = ""

    @property
    def passages(self) -> tuple[Passage, ...]:
        """Every passage that the report may speak of."""
        return self.evidence + self.withdrawn

    @property
    def firm(self) -> tuple[Passage, ...]:
        """The evidence that may be the only support of a statement: none of works that were retracted, corrected or are doubted.

        The rest may corroborate what another source says, and dispute it.
        """
        return tuple(p for p in self.evidence if not p.source.retracted)

    def passage(self, passage_id: str) -> Passage:
        return next(p for p in self.passages if p.id == passage_id)

    @property
    def banned(self) -> frozenset[str]:
        """The ids of sources that count no more."""
        return frozenset(p.source.id for p in self.withdrawn)

    @property
    def follow_ups(self) -> tuple[SubQuestion, ...]:
        """The questions that came with this version."""
        return tuple(q for q in self.questions if self.version > 1 and q.asked_in == self.version)

    @property
    def facts(self) -> tuple[SubQuestion, ...]:
        """The sub-questions that have one answer."""
        return tuple(q for q in self.questions if q.form == "fact")


class Event(Frozen):
    """One thing that happened, for people (`text`) and programs (`data`, plain JSON values)."""

    step: str
    kind: Literal[
        "planned", "searched", "found", "failed", "believed", "wrote", "conflict", "reopened", "revised", "rolled back",
        "unestablished", "routed", "cut", "finished", "sealed",
        "attached", "pinned", "unpinned", "edited", "banned", "asked", "replanned", "stopped",
    ]  # fmt: skip
    text: str
    data: dict[str, Any] = Field(default_factory=dict)


class Candidate(Frozen):
    """An answer read in a passage: the source's text[start:end], and the model's probability that this is the answer."""

    text: str
    passage: str
    start: int
    end: int
    probability: float


class Verdict(Frozen):
    """Probabilities that a passage supports a claim, refutes it, or says nothing of it."""

    supports: float
    refutes: float
    silent: float


class Filled(Frozen):
    """What a slot became. `passage` is None when the words were not copied; `none` is the probability of no answer."""

    text: str
    passage: str | None
    start: int
    end: int
    probability: float
    none: float
    steps: int


class Posteriors(Frozen):
    """What one slot may become, by one distribution: the probabilities of `rivals` in their order, of `nothing`, of `other` words."""

    rivals: tuple[float, ...]
    nothing: float
    other: float


class Rows(Frozen):
    """Rows of canvases that a run `computed`, and those that the same canvases have when each step lays its own `anew`."""

    computed: int
    anew: int


class Together(Frozen):
    """What is read when several passages lie on one canvas: the likeliest answers first, and the probability that they hold none."""

    answers: tuple[Candidate, ...] = ()
    none: float = 0.0


class Writer(Protocol):
    """The denoiser as the agent sees it: every method lays canvases of typed slots and denoises them."""

    name: str

    def answers(self, question: str, kind: Kind, passages: Sequence[Passage], k: int) -> list[Candidate]: ...

    def choose(self, question: str, kind: Kind, passages: Sequence[Passage]) -> Filled: ...

    def bridges(self, question: str, passages: Sequence[Passage], k: int) -> list[str]:
        """Up to `k` names in the passages that may lead on to what is asked, the likeliest first."""

    def hops(self, question: str) -> float:
        """The probability that a question takes more than one look; 0 where that was never measured of the model."""

    def together(self, question: str, kind: Kind, passages: Sequence[Passage], k: int) -> Together:
        """Up to `k` answers read with all passages, under their titles, on one canvas."""

    def verdicts(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]: ...

    def fill(self, forms: Sequence[tuple[Sequence[Piece], Sequence[Passage]]]) -> list[list[Filled]]: ...


@runtime_checkable
class Lasting(Protocol):
    """A writer whose canvases can live as long as a run; `rows` says what that saved, None where nobody counted."""

    @property
    def rows(self) -> Rows | None: ...

    def living(self) -> Writer: ...


@runtime_checkable
class Sorting(Protocol):
    """A writer that may have learnt what kind of question it is asked."""

    def knows(self, slot: str) -> bool: ...

    def kinds(self, question: str) -> Mapping[str, float]: ...


@runtime_checkable
class RowReading(Protocol):
    """A writer that may have learnt to read a cell out of a row."""

    def knows(self, slot: str) -> bool: ...

    def cells(self, question: str, row: str, cells: Sequence[str]) -> Sequence[float]: ...


class Reader(Protocol):
    """What tells how a question is asked and which sentences of passages belong in its report."""

    def plan(self, question: str) -> list[SubQuestion]: ...

    def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]: ...

    def nearest(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
        """The sentences that come near to the question or a clause of it, the nearest first."""

    def sides(self, question: str, chosen: Sequence[Chosen]) -> list[Side]: ...

    def cells(
        self, things: Sequence[str], attributes: Sequence[str], found: Sequence[Hit]
    ) -> dict[tuple[str, str], Chosen]: ...

    def is_near(self, words: str, texts: Sequence[str]) -> bool: ...

    def is_topic(self, question: str, *names: str) -> bool:
        """Whether a question without these names asks about something else, by as much for each of them as one must move it alone."""

    def is_apart(self, question: str, name: str, texts: Sequence[str]) -> bool:
        """Whether what is quoted lies nearer to the question without this name: it speaks of the rest alone."""

    def aims(self, chosen: Sequence[Chosen], read: Sequence[Passage]) -> list[bool]:
        """Whether each quotation tells what was meant to be done, or how, and so nothing yet."""

    def studies(self, read: Sequence[Passage]) -> set[str]:
        """The ids of the sources that tell of a study, by what was read of each."""

    def beyond(self, question: str) -> str: ...

    def unreported(self, question: str, found: Sequence[Hit]) -> list[Source]: ...

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]: ...

    def wholeness(self, texts: Sequence[str]) -> dict[str, float]:
        """For the phrases of texts, casefolded, the probability that each is whole; {} where nothing was fitted."""


class ProseError(Exception):
    """Whoever writes the prose cannot be asked; the message says why. The quotations stand."""


class Judge(Protocol):
    """A model whose verdicts were measured."""

    def verdicts(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]: ...


class Prose(Protocol):
    """A model that writes words between words."""

    def compose(self, forms: Sequence[tuple[Sequence[Piece], Sequence[Passage]]]) -> list[list[str] | None]:
        """For each form (fixed words and open TEXT slots, and the sentences it is to say) the words of its slots, in order; None
        where nothing that fits the form was written. ProseError when the model cannot be asked.
        """


class Records(Protocol):
    """What reads tables: the operation that a question asks for, the tables of passages, all those of the documents beside them, what
    they answer, how that is believed, and the column that words surely mean ("" where none is clear).
    """

    belief: float

    def operation(self, question: str) -> Operation: ...

    def tables(self, passages: Sequence[Passage]) -> list[Table]: ...

    def tables_beside(self, passages: Sequence[Passage]) -> list[Table]: ...

    def read(
        self, question: str, operation: Operation, tables: Sequence[Table], is_aside: bool = False
    ) -> Reading | Undecided | None: ...

    def column(self, words: str, columns: Sequence[str]) -> str: ...


Fits = Callable[
    [str, Sequence[str]], Sequence[bool]
]  # a question and answers: whether each is of the kind that is asked for


Suits = Callable[[str, Sequence[tuple[str, int, int]]], Sequence[float]]
"""A question and words text[start:end]: by how much, in log odds, their kind of figure is less likely asked for than the likeliest."""


def anything(question: str, answers: Sequence[str]) -> list[bool]:
    """Where nothing tells kinds of answers apart every answer fits."""
    return [True] * len(answers)


def equally(question: str, read: Sequence[tuple[str, int, int]]) -> list[float]:
    """Where nothing tells kinds of figures apart each is as likely asked for."""
    return [0.0] * len(read)


@dataclass(frozen=True)
class Tools:
    """What the steps reach for: a model, a search over every source (queries in, `Found` out), and the model's fitted numbers.

    Without a `reader` every question is asked for one answer; without somebody to write `prose`, quotations stand; without `records`
    tables are read like prose. `watch` looks on; `stop` tells whether a person wants the report now. `foreign` names the language of
    a text where the model does not read it ("" where it does). What is written
    in prose is judged by `judge`, or by the writer itself. What is read as an answer `fits` where it is of the kind that is asked for,
    and stands among what was read by the `words` of both; without them the model's own word decides.
    What stands is opened again only for reasons that `reopens` names: the measurement of what each is worth leaves one out.
    """

    writer: Writer
    search: Callable[[Sequence[str], int], Found]
    numbers: Numbers = UNCALIBRATED
    reader: Reader | None = None
    prose: Prose | None = None
    watch: Watch | None = None
    stop: Callable[[], bool] | None = None
    reopens: frozenset[Reason] = frozenset(REASONS)
    records: Records | None = None
    foreign: Callable[[str], str] = lambda text: ""
    judge: Judge | None = None
    fits: Fits = anything
    suits: Suits = equally
    words: WordsOf | None = None


Events = Generator[Event, None, ResearchState]  # what a step says while it works, and the state it ends in
Steps = Generator[Event | ResearchState, None, ResearchState]  # a state among the events is what a cut step keeps
Step = Callable[[ResearchState, Tools], Steps]
TimedStep = Callable[[ResearchState, Tools], Events]
