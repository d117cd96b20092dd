"""What goes on a canvas of so many tokens: a draft whose words far from its slots are left out, passages that stand whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..canvas.canvas import Piece
from ..canvas.tokenizer import Encoding

GAP = " ... "


class Encoder(Protocol):
    def encode(self, text: str) -> Encoding: ...


def near_slots(pieces: Sequence[Piece], tokenizer: Encoder, room: int) -> list[Piece]:
    """The draft in at most `room` tokens: words farthest from its slots are left out, the longest pieces cut first; slots all stay.

    It stays as it is when its slots alone need more.
    """
    slots = sum(p.length for p in pieces if not isinstance(p, str))
    if slots > room:
        return list(pieces)
    sizes = {n: len(tokenizer.encode(p).ids) for n, p in enumerate(pieces) if isinstance(p, str)}
    shares = _shares(sizes, room - slots)
    return [
        p
        if not isinstance(p, str) or shares[n] >= sizes[n]
        else _cut(p, tokenizer, shares[n], n > 0, n + 1 < len(pieces))
        for n, p in enumerate(pieces)
    ]


def _shares(sizes: dict[int, int], room: int) -> dict[int, int]:
    """What each of several pieces gets of `room`: all it needs, or as much as any other."""
    shares = {}
    for left, number in zip(range(len(sizes), 0, -1), sorted(sizes, key=sizes.__getitem__), strict=True):
        shares[number] = min(sizes[number], room // left)
        room -= shares[number]
    return shares


def _cut(text: str, tokenizer: Encoder, room: int, before: bool, after: bool) -> str:
    """`room` tokens of `text` or fewer, next to the slot that stands `before` it, `after` it, or half next to each.

    A word that is cut may be spelt in more tokens than it was, so what is kept is measured again.
    """
    offsets = tokenizer.encode(text).offsets
    kept = (_ends(text, offsets, size, before, after) for size in range(room, 0, -1))
    return next((t for t in kept if len(tokenizer.encode(t).ids) <= room), "")


def _ends(text: str, offsets: Sequence[tuple[int, int]], size: int, before: bool, after: bool) -> str:
    """`size` tokens of `text`: its first where a slot stands before it, its last where one stands after it."""
    head = size // 2 if before and after else size if before else 0
    first = text[: offsets[head - 1][1]] if head else ""
    last = text[offsets[len(offsets) - (size - head)][0] :] if size > head else ""
    return f"{first}{GAP}{last}" if first and last else first + last


def whole(sizes: Sequence[int], room: int) -> int:
    """How many things of `sizes`, from the first, go in `room` together. ValueError when there are some and none does."""
    used = 0
    for number, size in enumerate(sizes):
        used += size
        if used > room:
            if not number:
                raise ValueError(
                    f"a passage of {size} tokens does not fit in the {max(room, 0)} left; cut it into smaller passages"
                )
            return number
    return len(sizes)
