"""PDF: blocks in reading order, running heads dropped, form values, note marks apart from figures, pages without text named."""

from __future__ import annotations

import io
import re
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from PIL import ImageDraw

from ..types import RetrievalError
from .image import ocr
from .limits import Limits
from .structure import Box, Dated, Extracted, TooMuch, Writer, one_line, raised
from .tables import write_tables
from .text import write_text

_BATCH = 25  # pages parsed at a time, so that memory stays bounded
_LEADERS = re.compile(r"(?: ?\.){5,100} ?")  # of a table of contents
_NAMED_PAGES = 20
_OCR_DPI = 300  # what Tesseract is trained for: at 200 it read 38 for 36
_SHOWN_DPI = 110


def load_pdf(data: bytes, name: str, limits: Limits) -> Extracted:
    import pypdfium2
    from liteparse import LiteParse, ParseError

    pdf = _opened(pypdfium2, data, name)
    num_pages = len(pdf)
    writer = Writer(limits)
    parser = LiteParse(
        ocr_enabled=False, quiet=True, extract_blocks=True, extract_form_fields=True, max_pages=limits.pages, num_workers=1,
        continue_on_page_error=True, extract_content_bounds=True, extract_links=False, image_mode="off",
    )  # fmt: skip
    reader = _Reader(writer, pdf, name, num_pages)
    try:
        for batch in parser.parse_batches(data, _BATCH):
            for page in batch.result.pages:
                reader.page(page)
            reader.failed += [error.page_num for error in batch.result.page_errors]
    except ParseError as exc:
        raise RetrievalError(
            f"{name} is a broken PDF ({one_line(str(exc))[:200]}); download or export it again."
        ) from exc
    except TooMuch as limit:
        writer.say(f"Not all of it is read: {limit}")
    reader.say_what_is_missing()
    if num_pages > limits.pages:
        writer.say(f"Its pages after the first {limits.pages:,} of {num_pages:,} are not read; raise reading.pages")
    fields = pdf.get_metadata_dict()
    pdf.close()
    done = writer.finish()
    if not done.text:
        raise RetrievalError(
            f"{name} has no text layer, run OCR on it first (for example with ocrmypdf) or install Tesseract."
        )
    from .html import names

    return Extracted(
        done.text,
        done.blocks,
        title=_title(fields.get("Title", "")),
        authors=names(_told(fields.get("Author", ""))),
        dates=(Dated(fields.get("CreationDate", ""), "file stamp"),),
        media_type="application/pdf",
        unread=done.unread,
    )


def _opened(pypdfium2: Any, data: bytes, name: str) -> Any:
    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as exc:
        if "password" in str(exc).lower() or "security" in str(exc).lower():
            raise RetrievalError(f"{name} is encrypted; save a copy without a password.") from exc
        raise RetrievalError(f"{name} is a broken PDF; download or export it again.") from exc


def _title(title: str) -> str:
    """Programs write the name of the file or of themselves where a title belongs; those are none."""
    files = r"\.(?:docx?|pdf|indd|tex|dvi|rtf|odt|xlsx?|pptx?)$|^untitled|^microsoft word"
    return "" if re.search(files, title, re.IGNORECASE) else _told(title)


def _told(field: str) -> str:
    """A field of the metadata; "" where a program says in it that nobody gave it one: "(anonymous)"."""
    return "" if re.fullmatch(r"\W*(?:anonymous|unspecified|unknown)\W*", field, re.IGNORECASE) else field


class _Reader:
    """Pages one after the other into a writer."""

    def __init__(self, writer: Writer, pdf: Any, name: str, num_pages: int):
        self.writer, self.pdf, self.name, self.num_pages = writer, pdf, name, num_pages
        self.textless: list[int] = []
        self.recognised: list[int] = []
        self.failed: list[int] = []

    def page(self, page: Any) -> None:
        fields = [field for field in page.form_fields or () if _value(field)]
        if not page.blocks and not fields:
            self._without_blocks(page)
            return
        marks = _raised_marks(self.pdf, page.page_num) if _has_small_text(page) else {}
        labelled = {_bare(f"{_label(page, field)} {_value(field)}") for field in fields}
        for block in page.blocks or ():
            if _bare(block.text or "") not in labelled:
                self._block(block, page, marks)
        for field in fields:
            self.writer.field(_label(page, field), _value(field), page=page.page_num, box=_box(field.rect))

    def _block(self, block: Any, page: Any, marks: dict[str, str]) -> None:
        place = {"page": page.page_num, "box": _box(block.bbox)}
        text = _with_marks(_LEADERS.sub(" … ", block.text or ""), marks)
        if block.kind == "heading":
            self.writer.heading(text, block.level or 1, **place)
        elif block.kind == "list_item":
            marker = block.marker or ""
            self.writer.item(text, marker if any(map(str.isalnum, marker)) else "", block.level or 1, **place)
        elif block.kind == "table":
            self._table(block, marks, place)
        elif block.kind in ("code", "grid_fallback"):
            write_text(
                self.writer, "\n".join(block.lines or []), page=page.page_num
            ) if block.kind == "grid_fallback" else self.writer.add("code", "\n".join(block.lines or []), **place)
        elif block.kind == "paragraph":
            is_note = _is_note(block, page)
            if is_note or not self.writer.go_on(text, page.page_num):
                self.writer.add("note" if is_note else "paragraph", text, **place)

    def _table(self, block: Any, marks: dict[str, str], place: dict[str, Any]) -> None:
        header = [[_with_marks(cell.text, marks) for cell in block.header or ()]]
        rows = [[_with_marks(cell.text, marks) for cell in row] for row in block.rows or ()]
        has_header = any(header[0])
        printed = [block.header or ()] * has_header + list(block.rows or ())
        write_tables(
            self.writer,
            header * has_header + rows,
            headers_expected=has_header,
            boxes=[_around([_box(cell.bbox) for cell in row]) for row in printed],
            **place,
        )

    def _without_blocks(self, page: Any) -> None:
        """A page of which all was taken for running heads still says something; one without a letter may be a scan."""
        if page.text.strip():
            write_text(self.writer, page.text, page=page.page_num)
        else:
            self._textless_page(page)

    def _textless_page(self, page: Any) -> None:
        if page.content_bounds is None:
            return  # nothing is printed on it
        text = ocr(_picture(self.pdf, page.page_num))
        if text is None or not text.strip():
            self.textless.append(page.page_num)
        else:
            self.recognised.append(page.page_num)
            write_text(self.writer, text, page=page.page_num)

    def say_what_is_missing(self) -> None:
        of = f"of {self.num_pages}"
        if self.textless:
            self.writer.say(
                f"{_pages(self.textless)} {of} without text (scanned or drawn) not read; run OCR on it or install Tesseract"
            )
        if self.recognised:
            self.writer.say(f"{_pages(self.recognised)} {of} read by OCR, which makes mistakes")
        if self.failed:
            self.writer.say(f"{_pages(self.failed)} {of} damaged and not read; export the PDF again")


def _pages(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:_NAMED_PAGES])) + (
        f" and {len(numbers) - _NAMED_PAGES} more" if len(numbers) > _NAMED_PAGES else ""
    )
    return f"Page {shown}" if len(numbers) == 1 else f"Pages {shown}"


def page_picture(path: str, number: int, box: Box) -> str:
    """A page (from 1) as a PNG in base64, with a frame around `box`. RetrievalError where there is no such page."""
    import pypdfium2

    with open(path, "rb") as file:
        pdf = _opened(pypdfium2, file.read(), path)
    if not 0 < number <= len(pdf):
        raise RetrievalError(f"{path} has no page {number}; it has {len(pdf)}.")
    picture = _picture(pdf, number, _SHOWN_DPI, box)
    pdf.close()
    return b64encode(picture).decode()


def _picture(pdf: Any, number: int, dpi: int = _OCR_DPI, box: Box | None = None) -> bytes:
    page = pdf[number - 1]
    scale = min(dpi / 72, 4_000 / max(1, *page.get_size()))
    image = page.render(scale=scale).to_pil()
    page.close()
    if box:
        left, top, right, bottom = (edge * scale for edge in box)
        ImageDraw.Draw(image).rectangle((left - 4, top - 4, right + 4, bottom + 4), outline="#b0445e", width=3)
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def _box(rect: Any) -> Box | None:
    if rect is None:
        return None
    return tuple(round(float(edge), 1) for edge in (rect.x, rect.y, rect.x + rect.width, rect.y + rect.height))  # type: ignore[return-value]


def _around(boxes: Iterable[Box | None]) -> Box | None:
    """The smallest box that holds them all; None without one."""
    known = [box for box in boxes if box]
    if not known:
        return None
    left, top, right, bottom = zip(*known, strict=True)
    return min(left), min(top), max(right), max(bottom)


# Forms


def _value(field: Any) -> str:
    if field.type in ("checkbox", "radiobutton", "radio"):
        return "☒" if field.checked else "☐"
    if field.type in ("pushbutton", "button", "signature"):
        return ""
    return one_line(field.value or ", ".join(field.selected_options))


def _bare(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum())


def _label(page: Any, field: Any) -> str:
    """The words beside or above a field; else its name."""
    if field.rect is None:
        return field.alternate_name or field.name or ""
    middle, words = field.rect.y + field.rect.height / 2, _words_beside(page, field)
    is_tick = field.type in ("checkbox", "radiobutton", "radio")
    right = [item for item in words if item.x >= field.rect.x + field.rect.width - 2 and _crosses(item, middle)]
    if is_tick and right:
        return one_line(min(right, key=lambda item: item.x).text)
    left = [item for item in words if item.x + item.width <= field.rect.x + 4 and _crosses(item, middle)]
    if left:
        return one_line(max(left, key=lambda item: item.x).text).rstrip(": .…_")
    above = [i for i in words if abs(i.x - field.rect.x) < 40 and 0 <= field.rect.y - i.y - i.height < 14]
    nearest = one_line(max(above, key=lambda item: item.y).text) if above else ""
    return field.alternate_name or nearest.rstrip(": .…_") or field.name or ""


def _words_beside(page: Any, field: Any) -> list[Any]:
    value = _value(field)
    return [item for item in page.text_items if item.text.strip() and item.text.strip() != value]


def _crosses(item: Any, y: float) -> bool:
    return bool(item.y - 2 <= y <= item.y + item.height + 2)


# Raised marks


def _has_small_text(page: Any) -> bool:
    return bool(page.text_items)


def _is_note(block: Any, page: Any) -> bool:
    """Small print at the foot of a page that begins with a mark."""
    if (
        block.bbox is None
        or block.bbox.y < 0.55 * page.height
        or not re.match(r"[\[(]?(?:\d{1,3}|[*†‡§¹²³⁴⁵⁶⁷⁸⁹]|[a-z])[\])]?\s", block.text or "")
    ):
        return False
    return _size_in(page, block.bbox) < 0.93 * _usual_size(page)


def _size_in(page: Any, box: Any) -> float:
    sizes = [i.font_size or 0 for i in page.text_items if box.y - 1 <= i.y <= box.y + box.height and i.font_size]
    return min(sizes, default=1e9)


def _usual_size(page: Any) -> float:
    letters: dict[float, int] = defaultdict(int)
    for item in page.text_items:
        letters[round(item.font_size or 0, 1)] += len(item.text)
    return max(letters, key=lambda size: letters[size], default=0.0)


def _raised_marks(pdf: Any, number: int) -> dict[str, str]:
    """Words with a raised mark as the page's text has them ("83,190,5562") and as they read ("83,190,556 [2]")."""
    page = pdf[number - 1]
    textpage = page.get_textpage()
    letters = list(_letters(textpage))
    notes = {
        match.group(1)
        for line in textpage.get_text_range().splitlines()
        if (match := re.match(r"\s*[\[(]?(\d{1,3}|[*†‡§a-z])[\])]?\s+\S", line))
    }
    textpage.close()
    page.close()
    marks: dict[str, str] = {}
    for base, mark, after in _words_with_marks(letters):
        is_note = (
            not mark.isdigit() or mark in notes or not base[-1:].isalnum() or (base[-1:].isalpha() and len(base) > 3)
        )
        if not re.fullmatch(r"\d{1,3}|[*†‡§]{1,3}|[a-h]|[-−+]\d{1,2}|\d{1,2}[,–-]\d{1,2}", mark):
            continue
        marks[base + mark + after] = base + raised(base, mark, is_note) + after
    return marks


def _letters(textpage: Any) -> Iterator[tuple[str, float, float]]:
    """Every letter of a page with its size and the height of its foot."""
    import ctypes

    import pypdfium2.raw as raw

    x, y = ctypes.c_double(), ctypes.c_double()
    for index in range(textpage.count_chars()):
        letter = chr(raw.FPDFText_GetUnicode(textpage, index))
        raw.FPDFText_GetCharOrigin(textpage, index, x, y)
        yield letter, float(raw.FPDFText_GetFontSize(textpage, index)), y.value


def _words_with_marks(letters: list[tuple[str, float, float]]) -> Iterator[tuple[str, str, str]]:
    """(word, mark, rest) where the mark is smaller than the word and stands higher."""
    word: list[tuple[str, float, float]] = []
    for letter in [*letters, (" ", 0.0, 0.0)]:
        if letter[0].isspace() or letter[0] in "\ufffe\x02":
            found = _mark_in(word)
            if found:
                yield found
            word = []
        elif len(word) < 200:
            word.append(letter)


def _mark_in(word: list[tuple[str, float, float]]) -> tuple[str, str, str] | None:
    if len(word) < 2:
        return None
    size, foot = word[0][1], word[0][2]
    small = [index for index, (_, s, y) in enumerate(word) if s < 0.85 * size and y > foot + 0.15 * size]
    if not small or small[0] == 0 or small != list(range(small[0], small[-1] + 1)):
        return None
    base, mark, after = word[: small[0]], word[small[0] : small[-1] + 1], word[small[-1] + 1 :]
    base_text, mark_text, after_text = ("".join(letter for letter, _, _ in part) for part in (base, mark, after))
    return base_text, mark_text, after_text


def _with_marks(text: str, marks: dict[str, str]) -> str:
    if not marks:
        return one_line(text)
    return " ".join(marks.get(word, word) for word in one_line(text).split(" "))
