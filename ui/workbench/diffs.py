"""Old and new words in one line: what went is struck out, what came is marked."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from palimpsest.agent.draft import Block, Draft
from palimpsest.workflows.rendering.text import OPEN, shown

from .markup import escape

ELSEWHERE = ("conflicts", "sources", "revisions")  # sections that have a region of their own


def words_of(block: Block) -> str:
    """The words of a block in a line; the cells of a table and the sides of a conflict apart."""
    if block.kind not in ("table", "conflict"):
        return shown(block)
    return " · ".join(OPEN if s.status == "open" else s.text for s in block.words if s.text or s.status == "open")


def between(old: str, new: str) -> str:
    """Markup of a word diff."""
    a, b = old.split(), new.split()
    pieces = []
    for tag, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(escape(" ".join(a[i:j])))
            continue
        pieces += [f"<del>{escape(' '.join(a[i:j]))}</del>"] if j > i else []
        pieces += [f"<ins>{escape(' '.join(b[k:m]))}</ins>"] if m > k else []
    return " ".join(pieces)


def lines(old: Draft, new: Draft) -> list[tuple[str, str, str]]:
    """The blocks in which two drafts differ: id, words before, words after; in the order of the new draft, then those that went.

    Sections that stand elsewhere on the page are left out.
    """
    before, after = (
        {b.id: words_of(b) for b in d.blocks if b.spans and b.section not in ELSEWHERE} for d in (old, new)
    )
    names = [*after, *(name for name in before if name not in after)]
    return [(n, before.get(n, ""), after.get(n, "")) for n in names if before.get(n, "") != after.get(n, "")]


def paragraphs(old: Sequence[str], new: Sequence[str]) -> str:
    """Markup of two texts held against each other paragraph by paragraph."""
    pieces = []
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces += [f"<p>{escape(p)}</p>" for p in old[i:j]]
        elif tag == "replace" and j - i == m - k:
            pieces += [f"<p>{between(a, b)}</p>" for a, b in zip(old[i:j], new[k:m], strict=True)]
        else:
            pieces += [f"<p><del>{escape(p)}</del></p>" for p in old[i:j]] + [
                f"<p><ins>{escape(p)}</ins></p>" for p in new[k:m]
            ]
    return "".join(pieces)
