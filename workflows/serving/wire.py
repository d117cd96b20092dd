"""What `research serve` and its clients say to one another."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from palimpsest.agent.draft import Kind
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec
from palimpsest.retrieval.types import Passage


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


class Words(Strict):
    id: str
    text: str = Field(max_length=200_000)


class Revise(Strict):
    """A canvas to denoise: the draft's words stay, its slots are filled from the passages."""

    question: str = Field(min_length=1, max_length=20_000)
    passages: list[Words] = Field(default=[], max_length=64)
    draft: list[str | Slot] = Field(min_length=1, max_length=512)
    steps: int = Field(default=2, ge=1, le=1024)
    commit: Literal["threshold", "factor", "entropy", "margin"] = "threshold"
    value: float = 0.5
    seed: int = 0
    stream: bool = False


class Answers(Strict):
    question: str
    kind: Kind
    passages: list[Passage] = Field(max_length=256)
    k: int = Field(ge=1, le=64)


class Choose(Strict):
    question: str
    kind: Kind
    passages: list[Passage] = Field(max_length=64)


class Verdicts(Strict):
    pairs: list[tuple[str, str]] = Field(max_length=1024)


class Form(Strict):
    pieces: list[str | Slot]
    passages: list[Passage] = Field(max_length=64)


class Forms(Strict):
    forms: list[Form] = Field(max_length=256)


class Message(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str = Field(max_length=400_000)


class Chat(BaseModel):
    """OpenAI's chat request; what this server has no use for (temperature, tools, ...) is read over."""

    messages: list[Message] = Field(min_length=1, max_length=256)
    model: str = ""
    max_tokens: int | None = Field(default=None, ge=1, le=1024)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=1024)
    seed: int | None = None
    stream: bool = False

    @property
    def length(self) -> int:
        return self.max_completion_tokens or self.max_tokens or 128
