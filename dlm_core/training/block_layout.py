"""A text as training for block diffusion sees it: once clean and twice masked, each word open in exactly one of the two.

Under complementary masks (Fast-dLLM v2, arXiv 2509.26328) every word is learnt once from each text, some beside few open places and
some beside many. A masked block reads the clean words of earlier blocks, as it will when those are settled (BD3-LM, arXiv
2503.09573), so all blocks are learnt in one forward.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

ALL_OPEN = 0.25  # of the blocks are open everywhere in one of the copies: what a fresh slot looks like


class Layout(NamedTuple):
    """Rows [3L] of one text of L words, clean and two masked copies: what stands in them, their positions, and for each of the words
    `target` [T] the `row` [T] that it is read off.
    """

    tokens: Tensor
    positions: Tensor
    row: Tensor
    target: Tensor


def layout(words: Tensor, block: int, mask: int, generator: torch.Generator) -> Layout:
    """Three copies of `words` [L]. A word is read off the row before it, where that belongs to another block off the clean one.

    The first word has no row before it and is never open.
    """
    length = len(words)
    hidden = _hidden(length, block, generator)
    copies = [words, torch.where(hidden, mask, words), torch.where(hidden, words, mask)]
    copies[2][0] = words[0]
    places = torch.arange(1, length)
    copy = torch.where(hidden[1:], 1, 2)
    begins = places % block == 0
    row = torch.where(begins, places - 1, copy * length + places - 1)
    return Layout(torch.cat(copies), torch.arange(length).repeat(3), row, words[1:])


def _hidden(length: int, block: int, generator: torch.Generator) -> Tensor:
    """[L] bool: which words are open in the first masked copy; each block has a share of its own."""
    blocks = -(-length // block)
    share = torch.rand(blocks, generator=generator)
    share = torch.where(torch.rand(blocks, generator=generator) < ALL_OPEN, 1.0, share)
    hidden = torch.rand(length, generator=generator) < share.repeat_interleave(block)[:length]
    hidden[0] = False
    return hidden


def seen(length: int, block: int, ahead: int) -> Tensor:
    """[3L, 3L] bool: which rows of a layout a row sees. Of its own block a row sees what stands before it and `ahead` rows behind it:
    0 is the mask of an autoregressive model, block - 1 that of blocks.
    """
    place = torch.arange(length)
    number = place // block
    earlier = number[None] < number[:, None]
    own = (number[None] == number[:, None]) & (place[None] <= place[:, None] + ahead)
    nothing = torch.zeros_like(own)
    return torch.cat(
        [
            torch.cat([earlier | own, nothing, nothing], 1),
            torch.cat([earlier, own, nothing], 1),
            torch.cat([earlier, nothing, own], 1),
        ]
    )
