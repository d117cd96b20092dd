"""Slides: titles, text boxes in reading order, tables, charts as tables, notes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from ..types import RetrievalError
from .archive import refuse_bomb
from .html import names
from .limits import Limits
from .sheets import shown
from .structure import Dated, Extracted, TooMuch, Writer, broken, one_line
from .tables import write_tables

_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
_DEEPEST_GROUP = 30


def load_slides(data: bytes, name: str, limits: Limits) -> Extracted:
    import pptx
    from lxml.etree import LxmlError  # type: ignore[import-untyped]
    from pptx.exc import PackageNotFoundError

    refuse_bomb(data, name, "PowerPoint", limits)
    writer = Writer(limits)
    try:
        show = pptx.Presentation(io.BytesIO(data))
        for number, slide in enumerate(show.slides, start=1):
            _Slide(writer, number).write(slide)
        properties = show.core_properties
        title, author = properties.title or "", properties.author or ""
        stamp = (properties.modified or properties.created) and str(properties.modified or properties.created)
    except TooMuch as limit:
        writer.say(f"Not all of it is read: {limit}")
        title, author, stamp = "", "", ""
    except (PackageNotFoundError, KeyError, ValueError, AttributeError, TypeError, OSError, LxmlError) as exc:
        raise broken(name, "a broken PowerPoint file", "save it again as .pptx", exc) from exc
    done = writer.finish()
    if not done.text and done.unread:
        raise RetrievalError(f"{name} holds no text ({'; '.join(done.unread)}); give a file with words in it.")
    return Extracted(
        done.text, done.blocks, title="" if title == "PowerPoint Presentation" else title, authors=names(author),
        dates=(Dated(stamp or "", "file stamp"),), media_type=_MEDIA_TYPE, unread=done.unread,
    )  # fmt: skip


class _Slide:
    """One slide into a writer; its number is the page."""

    def __init__(self, writer: Writer, number: int):
        self.writer, self.number = writer, number
        self.num_pictures = 0

    def write(self, slide: Any) -> None:
        if slide.element.get("show") == "0":
            self.writer.say(f"The hidden slide {self.number} is left out")
            return
        title = slide.shapes.title
        heading = one_line(title.text_frame.text) if title is not None and title.has_text_frame else ""
        self.writer.heading(heading or f"Slide {self.number}", 1, page=self.number)
        for shape in _in_reading_order(slide.shapes):
            if title is None or shape.shape_id != title.shape_id:
                self._shape(shape)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            self.writer.add("note", slide.notes_slide.notes_text_frame.text, page=self.number, label="speaker's note")
        if self.num_pictures:
            self.writer.say(f"Pictures on slide {self.number} are not read ({self.num_pictures})")

    def _shape(self, shape: Any) -> None:
        if getattr(shape, "has_table", False) and shape.has_table:
            grid = [[_cell(cell) for cell in row.cells] for row in shape.table.rows]
            write_tables(
                self.writer, grid, header_rows=1 if shape.table.first_row and len(grid) > 1 else None, page=self.number
            )
        elif getattr(shape, "has_chart", False) and shape.has_chart:
            self._chart(shape.chart)
        elif shape.has_text_frame:
            for paragraph in shape.text_frame.paragraphs:
                self._paragraph(paragraph)
        elif "PICTURE" in str(shape.shape_type):
            self.num_pictures += 1

    def _paragraph(self, paragraph: Any) -> None:
        text = "".join(_shown_runs(paragraph))
        if paragraph.level:
            self.writer.item(text, level=paragraph.level + 1, page=self.number)
        else:
            self.writer.add("paragraph", text, page=self.number)

    def _chart(self, chart: Any) -> None:
        if chart.has_title and chart.chart_title.has_text_frame:
            self.writer.add("caption", chart.chart_title.text_frame.text, page=self.number)
        for plot in chart.plots:
            labels = [str(label) for label in plot.categories]
            series = [(one_line(each.name or "value"), list(each.values)) for each in plot.series]
            grid = [["", *(name for name, _ in series)]]
            for index, label in enumerate(labels):
                values = [values[index] if index < len(values) else None for _, values in series]
                grid.append([label, *("" if value is None else shown(value) for value in values)])
            write_tables(self.writer, grid, header_rows=1, page=self.number)


def _in_reading_order(shapes: Any) -> list[Any]:
    """From top to bottom, and from left to right what stands side by side; groups opened."""
    flat = list(_flat(shapes))
    return sorted(flat, key=lambda shape: ((shape.top or 0) // 360_000, shape.left or 0))  # rows of a centimetre


def _flat(shapes: Any, depth: int = 0) -> Iterator[Any]:
    for shape in shapes:
        if "GROUP" in str(shape.shape_type) and depth < _DEEPEST_GROUP:
            yield from _flat(shape.shapes, depth + 1)
        else:
            yield shape


def _cell(cell: Any) -> str:
    # A merged cell stands once; what it covers is empty.
    return "" if cell.is_spanned else one_line(cell.text_frame.text)


def _shown_runs(paragraph: Any) -> Iterator[str]:
    for run in paragraph.runs:
        properties = run._r.rPr
        if properties is None or properties.get("strike") in (None, "noStrike"):
            yield run.text.replace("\v", " ")
