"""OpenAI's chat over a canvas: a draft of one slot. A model that writes no prose copies its answer from the system messages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from palimpsest.agent.writer import ModelWriter
from palimpsest.dlm_core.canvas.canvas import Canvas
from palimpsest.dlm_core.decoding.sampler import Frame
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec

from .wire import Chat


@dataclass(frozen=True)
class Said:
    """What stands after a step: the words of the slot up to its first open place, and how many tokens came in and were written."""

    text: str
    prompt_tokens: int
    completion_tokens: int

    @property
    def usage(self) -> dict[str, int]:
        total = self.prompt_tokens + self.completion_tokens
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": total,
        }


def canvas_of(writer: ModelWriter, asked: Chat) -> Canvas:
    """ValueError when a model that copies is given nothing to copy from, or a conversation does not fit."""
    if writer.denoiser.writes_prose:
        several = len(asked.messages) > 1
        words = "\n\n".join(f"{m.role}: {m.content}" if several else m.content for m in asked.messages)
        return writer.denoiser.build([words], [], [SlotSpec(MaskKind.TEXT, asked.length, free=True)])
    sources = [(f"system-{n}", m.content) for n, m in enumerate(asked.messages) if m.role in ("system", "developer")]
    if not sources:
        raise ValueError(
            "this model writes no prose, it copies: send the text that holds the answer as a system message"
        )
    return writer.denoiser.build([asked.messages[-1].content], sources, [SlotSpec(MaskKind.TEXT)])


def said(writer: ModelWriter, frame: Frame) -> Said:
    """Words come in any order here, so what is said is the settled beginning; half a letter at its end waits for its other half."""
    slot, canvas = frame.canvas.slots[0], frame.canvas
    open_places = canvas.open[slot.start : slot.end]
    settled = int((~open_places).int().cumprod(0).sum())
    written = [t for t in canvas.tokens[slot.start : slot.start + settled].tolist() if t != canvas.marks.delete]
    fill = canvas.fill(0, writer.denoiser.tokenizer)
    text = fill.text if fill else writer.denoiser.tokenizer.decode(written).rstrip("�")
    return Said(text, len(canvas) - (slot.end - slot.start), len(written))


def completion(name: str, last: Said) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": last.text}, "finish_reason": "stop"}
    return {**_envelope(name, "chat.completion"), "choices": [choice], "usage": last.usage}


async def chunks(name: str, steps: AsyncIterator[Said]) -> AsyncIterator[dict[str, Any]]:
    """OpenAI's chunks: of every step the words that are new."""
    sent = ""
    async for step in steps:
        more, sent = step.text.removeprefix(sent), step.text
        choice = {"index": 0, "delta": {"content": more}, "finish_reason": None}
        yield {**_envelope(name, "chat.completion.chunk"), "choices": [choice]}
    yield {
        **_envelope(name, "chat.completion.chunk"),
        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
    }


def _envelope(name: str, kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-palimpsest", "object": kind, "created": 0, "model": name}
