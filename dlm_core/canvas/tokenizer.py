"""Word pieces with character offsets, and the control rows of the embedded model (BERT's unused ids, so no new rows)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

CLS, SEP, MASK = 101, 102, 103
DELETE, INSERT, NONE = 1, 2, 3
QUESTION, DRAFT, HOLE = 5, 6, 11  # block openers, and the place of a hole in a question
CONTROL = {
    "[DEL]": 1,
    "[INS]": 2,
    "[NONE]": 3,
    "[SUP]": 13,
    "[REF]": 14,
    "[NEI]": 15,
    "[YES]": 38,
    "[NO]": 39,
    "[REL]": 42,
    "[OFF]": 43,
    "[FACT]": 44,
    "[POLAR]": 45,
    "[COMPARE]": 46,
    "[REASON]": 47,
    "[HOW]": 48,
    "[SURVEY]": 49,
    "[DEBATE]": 50,
    "[DIRECT]": 51,
    "[CHAIN]": 52,
    "[SEVERAL]": 53,
}
FIRST_PASSAGE_ROW, MAX_PASSAGES = 16, 16  # rows 16 to 31 name the passages [E1] to [E16]
_CONTROL_NAME = {row: name for name, row in CONTROL.items()}


@dataclass(frozen=True)
class Encoding:
    """Token ids of a text and, for each, the [start, end) characters it covers."""

    ids: list[int]
    offsets: list[tuple[int, int]]


class Tokenizer:
    """The uncased word-piece vocabulary of all-MiniLM-L6-v2, without padding, truncation or added specials."""

    def __init__(self, path: Path):
        from tokenizers import Tokenizer as Backend

        self._backend = Backend.from_file(str(path))
        # tokenizer.json of this model pads and truncates to 128; a canvas does neither.
        self._backend.no_padding()
        self._backend.no_truncation()

    def encode(self, text: str) -> Encoding:
        encoding = self._backend.encode(text, add_special_tokens=False)
        return Encoding(encoding.ids, encoding.offsets)

    def encode_batch(self, texts: list[str]) -> list[Encoding]:
        encodings = self._backend.encode_batch(texts, add_special_tokens=False)
        return [Encoding(e.ids, e.offsets) for e in encodings]

    def decode(self, ids: list[int]) -> str:
        """The words of `ids`, lower case; control rows by name, deletions as nothing."""
        kept = [i for i in ids if i not in (DELETE, MASK)]
        if any(i in _CONTROL_NAME for i in kept):
            return " ".join(_CONTROL_NAME.get(i) or self._backend.decode([i]) for i in kept)
        return self._backend.decode(kept)

    def row(self, answer: str) -> int:
        """The vocabulary row of a CHOICE answer: a control name, or a word that is one piece."""
        if answer in CONTROL:
            return CONTROL[answer]
        ids = self.encode(answer).ids
        if len(ids) != 1:
            raise ValueError(f"the choice {answer!r} is not one vocabulary row; use one word or a control row")
        return ids[0]


@dataclass(frozen=True)
class Template:
    """What a chat is framed by; special tokens are written as the tokenizer names them."""

    before_user: str
    after_user: str  # and before the assistant's words
    after_assistant: str = ""


class ChatTokenizer:
    """The tokenizer of a checkpoint, from the text of its tokenizer.json.

    What a person or a document says never becomes a special token, however it is spelt.
    """

    def __init__(self, serialised: str, template: Template):
        from tokenizers import Tokenizer as Backend

        self.template = template
        self._words, self._control = Backend.from_str(serialised), Backend.from_str(serialised)
        for backend in (self._words, self._control):
            backend.no_padding()
            backend.no_truncation()
        self._words.encode_special_tokens = True

    def encode(self, text: str) -> Encoding:
        """Token ids of plain text; the letters of "<|im_end|>" are letters."""
        encoding = self._words.encode(text, add_special_tokens=False)
        return Encoding(encoding.ids, encoding.offsets)

    @property
    def size(self) -> int:
        """One more than the largest id."""
        return 1 + max(self._control.get_vocab(with_added_tokens=True).values())

    def id_of(self, token: str) -> int | None:
        """The id of a token by its own spelling; None where there is no such token."""
        found = self._control.token_to_id(token)
        return None if found is None else int(found)

    def control(self, text: str) -> list[int]:
        """Token ids of a piece of the template, whose special tokens are meant."""
        return list(self._control.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: list[int]) -> str:
        """The words of `ids`, without special tokens."""
        return str(self._control.decode(ids, skip_special_tokens=True))


@lru_cache(maxsize=4)
def load_tokenizer(path: Path) -> Tokenizer:
    return Tokenizer(path)
