"""Pictures of text, read by Tesseract where it is installed."""

from __future__ import annotations

import shutil
import subprocess

from ..types import RetrievalError
from .limits import Limits
from .structure import Extracted, Writer
from .text import write_text

_SECONDS = 40.0


def load_image(data: bytes, name: str, limits: Limits) -> Extracted:
    text = ocr(data)
    if text is None:
        raise RetrievalError(f"{name} is an image; install Tesseract to have its text read, or leave it out.")
    if not text.strip():
        raise RetrievalError(f"{name} is an image in which Tesseract found no text; leave it out.")
    writer = Writer(limits)
    write_text(writer, text)
    writer.say("It is an image, read by OCR, which makes mistakes")
    done = writer.finish()
    return Extracted(done.text, done.blocks, media_type="image/*", unread=done.unread)


def ocr(picture: bytes) -> str | None:
    """The text in a picture; None where Tesseract is not installed, "" where it finds none or gives up."""
    program = shutil.which("tesseract")
    if program is None:
        return None
    try:
        done = subprocess.run([program, "-", "-"], input=picture, capture_output=True, timeout=_SECONDS, check=False)
    except (subprocess.TimeoutExpired, OSError):
        return ""
    return done.stdout.decode("utf-8", errors="replace") if done.returncode == 0 else ""
