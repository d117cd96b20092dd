"""What stays of canvases from one call to the next through a run: rows by what they depend on, within a bound of bytes.

A question's rows depend on the question alone, those of a passage on the question and the passage, a draft's on all that it sees.
So a question keeps one canvas as long as a run: passages attach and detach, drafts are opened and filled, and only what is new is
computed. Whatever was not looked at for longest goes first when the bound is reached; everything goes with the run.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from .span_cache import Tally

MOST_BYTES = 32 * 2**20  # about 1,500 rows of the embedded model: the passages of a round and the drafts over them


@dataclass
class Living:
    """Kept rows by key, and the `tally` of what was computed. Values are kept as they are: they must own their memory."""

    most: int = MOST_BYTES
    tally: Tally = field(default_factory=Tally)
    size: int = 0  # bytes held
    _held: OrderedDict[Hashable, tuple[Any, int]] = field(default_factory=OrderedDict)

    def get(self, key: Hashable) -> Any | None:
        """What is kept under a key, which by that was looked at last; None when nothing is."""
        if key not in self._held:
            return None
        self._held.move_to_end(key)
        return self._held[key][0]

    def keep(self, key: Hashable, value: Any, size: int) -> None:
        """Keep `value`, of `size` bytes; one that is larger than the bound is not kept."""
        if size > self.most:
            return
        self.size += size - (self._held.pop(key)[1] if key in self._held else 0)
        self._held[key] = (value, size)
        while self.size > self.most:
            self.size -= self._held.popitem(last=False)[1][1]
