"""What `research serve` and its clients say to one another. What cannot be done is refused here, before it costs anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from palimpsest.agent.draft import Kind
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec
from palimpsest.retrieval.types import Passage

T = TypeVar("T")
MOST_LETTERS = 400_000  # of one canvas: more than fits in any model, and tokenised in less than a second
MOST_PLACES = 4096  # of the slots of one canvas
SLICE_ITEMS, SLICE_LETTERS = 16, 8_000  # of a large request, done before others get their turn

Question = Annotated[str, Field(max_length=20_000)]
Text = Annotated[str, Field(max_length=200_000)]
Seed = Annotated[int, Field(ge=-(2**62), le=2**62)]  # torch's generators take 64 bits, and each step adds to it


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Slot(Strict):
    """A hole on the wire; see `dlm_core.kinds.SlotSpec`."""

    kind: Literal["TEXT", "ENTITY", "NUMBER", "LOGIC", "CITE", "CHOICE", "OUTLINE"]
    max_length: int = Field(default=0, ge=0, le=1024)
    allowed: tuple[str, ...] = ()
    after: tuple[int, ...] = ()
    required: bool = False
    free: bool = False

    @model_validator(mode="after")
    def _is_a_slot(self) -> Slot:
        self.spec()
        return self

    def spec(self) -> SlotSpec:
        return SlotSpec(MaskKind[self.kind], self.max_length, self.allowed, self.after, self.required, self.free)

    @staticmethod
    def of(spec: SlotSpec) -> Slot:
        return Slot(
            kind=spec.kind.name,
            max_length=spec.max_length,
            allowed=spec.allowed,
            after=spec.after,
            required=spec.required,
            free=spec.free,
        )


def _branch(piece: object) -> str:
    return "words" if isinstance(piece, str) else "slot"


Piece = Annotated[  # told apart by hand, so that what is wrong with a slot is not "not a string"
    Annotated[str, Tag("words")] | Annotated[Slot, Tag("slot")], Discriminator(_branch)
]


def specs(pieces: Iterable[str | Slot]) -> list[str | SlotSpec]:
    return [p if isinstance(p, str) else p.spec() for p in pieces]


def _check_slots(pieces: Sequence[str | Slot]) -> None:
    """ValueError when a slot waits for one that is not there, or all slots together have too many places."""
    slots = [p for p in pieces if isinstance(p, Slot)]
    if not slots:
        raise ValueError("the draft has no slot; put one where words are to be filled in")
    for number, slot in enumerate(slots):
        wrong = [a for a in slot.after if not 0 <= a < len(slots) or a == number]
        if wrong:
            raise ValueError(
                f"slot {number} comes after slot {wrong[0]}; name another of the slots 0 to {len(slots) - 1}"
            )
    places = sum(s.spec().length for s in slots)
    if places > MOST_PLACES:
        raise ValueError(f"the slots have {places} places together; ask for at most {MOST_PLACES}")


def _check_letters(texts: Iterable[str]) -> None:
    """ValueError when the texts of one canvas are longer than any canvas."""
    letters = sum(map(len, texts))
    if letters > MOST_LETTERS:
        raise ValueError(f"the texts have {letters} letters together; send at most {MOST_LETTERS}")


class Words(Strict):
    id: str
    text: Text


class Revise(Strict):
    """A canvas to denoise: the draft's words stay, its slots are filled from the passages."""

    question: Question = Field(min_length=1)
    passages: list[Words] = Field(default=[], max_length=64)
    draft: list[Piece] = Field(min_length=1, max_length=512)
    steps: int = Field(default=2, ge=1, le=1024)
    commit: Literal["threshold", "factor", "entropy", "margin"] = "threshold"
    value: float = Field(default=0.5, allow_inf_nan=False)
    seed: Seed = 0
    stream: bool = False

    @model_validator(mode="after")
    def _can_be_built(self) -> Revise:
        _check_slots(self.draft)
        _check_letters([*(p.text for p in self.passages), *(p for p in self.draft if isinstance(p, str))])
        return self


class Drawn(Strict):
    """A request whose words may be drawn; without `seed` by the seed of the server's own writer."""

    seed: Seed | None = None


class Answers(Drawn):
    question: Question
    kind: Kind
    passages: list[Passage] = Field(max_length=256)
    k: int = Field(ge=1, le=64)

    @model_validator(mode="after")
    def _can_be_built(self) -> Answers:
        for passage in self.passages:
            _check_letters([passage.text])
        return self


class Choose(Drawn):
    question: Question
    kind: Kind
    passages: list[Passage] = Field(max_length=64)

    @model_validator(mode="after")
    def _can_be_built(self) -> Choose:
        _check_letters(p.text for p in self.passages)
        return self


class Verdicts(Drawn):
    pairs: list[tuple[Question, Text]] = Field(max_length=1024)


class Form(Strict):
    pieces: list[Piece] = Field(max_length=512)
    passages: list[Passage] = Field(max_length=64)

    @model_validator(mode="after")
    def _can_be_built(self) -> Form:
        _check_slots(self.pieces)
        _check_letters([*(p.text for p in self.passages), *(p for p in self.pieces if isinstance(p, str))])
        return self


class Forms(Drawn):
    forms: list[Form] = Field(max_length=256)


class Message(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str = Field(max_length=MOST_LETTERS)


class Chat(BaseModel):
    """OpenAI's chat request; what this server has no use for (temperature, tools, ...) is read over."""

    messages: list[Message] = Field(min_length=1, max_length=256)
    model: str = ""
    max_tokens: int | None = Field(default=None, ge=1, le=1024)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=1024)
    seed: Seed | None = None
    stream: bool = False

    @model_validator(mode="after")
    def _can_be_built(self) -> Chat:
        if self.messages[-1].role != "user":
            raise ValueError("messages: the last one must be the user's")
        _check_letters(m.content for m in self.messages)
        return self

    @property
    def length(self) -> int:
        return self.max_completion_tokens or self.max_tokens or 128


def slices(items: Sequence[T], letters: Callable[[T], int]) -> Iterator[list[T]]:
    """The items of a request in order, cut so that no slice holds the model for long; one item is never cut."""
    part: list[T] = []
    size = 0
    for item in items:
        if part and (len(part) == SLICE_ITEMS or size + letters(item) > SLICE_LETTERS):
            yield part
            part, size = [], 0
        part.append(item)
        size += letters(item)
    if part:
        yield part
