"""E-mail: one message (eml, mhtml) or a box of them (mbox); attachments are named, not opened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

from .encoding import decode
from .html import fill, parse
from .limits import Limits
from .structure import Dated, Extracted, TooMuch, Writer, broken, one_line
from .text import write_text

_SHOWN = ("From", "To", "Cc", "Date")
_REPLY = re.compile(r"^>.*$", re.MULTILINE)
_MAX_HEADER = 2_000


def load_mail(data: bytes, name: str, limits: Limits) -> Extracted:
    message = _parsed(data, name)
    writer = Writer(limits)
    _write(writer, message, name, 1)
    done = writer.finish()
    return Extracted(
        done.text, done.blocks, title=_header(message, "Subject"), authors=_authors(message),
        dates=(Dated(_date(message), "metadata"),), media_type="message/rfc822", unread=done.unread,
    )  # fmt: skip


def load_mbox(data: bytes, name: str, limits: Limits) -> Extracted:
    """All messages of a box, each below its subject; where there are several none of them names the box."""
    writer = Writer(limits)
    messages = list(_messages(data))
    for number, raw in enumerate(messages, start=1):
        if number > limits.members:
            writer.say(f"Its messages after the first {limits.members:,} are not read; raise reading.members")
            break
        _write(writer, _parsed(raw, name), name, 1)
    done = writer.finish()
    title = Path(name).stem if len(messages) > 1 else ""
    return Extracted(done.text, done.blocks, title, media_type="application/mbox", unread=done.unread)


def _messages(data: bytes) -> Iterator[bytes]:
    starts = [match.start() for match in re.finditer(rb"^From [^\r\n]*\r?$", data, re.MULTILINE)] or [0]
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        message = data[start:end]
        yield message.partition(b"\n")[2] if message.startswith(b"From ") else message


def _parsed(data: bytes, name: str) -> EmailMessage:
    try:
        return message_from_bytes(data, policy=policy.default)
    except (MessageError, ValueError, LookupError, TypeError, IndexError) as exc:
        raise broken(name, "a broken message", "save it again", exc) from exc


def _write(writer: Writer, message: EmailMessage, name: str, level: int) -> None:
    try:
        writer.heading(_header(message, "Subject") or "Message", level)
        for header in _SHOWN:
            writer.field(header, _header(message, header)) if _header(message, header) else None
        _body(writer, message, name)
        _attachments(writer, message, name, level)
    except TooMuch as limit:
        writer.say(f"Not all of it is read: {limit}")
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, IndexError) as exc:
        writer.say(f"A part of the message is damaged and not read ({type(exc).__name__})")


def _body(writer: Writer, message: EmailMessage, name: str) -> None:
    part = (
        message.get_body(("plain", "html"))
        if message.is_multipart() or message.get_content_maintype() == "text"
        else None
    )
    if part is None:
        return
    payload = part.get_payload(decode=True)
    decoded = (
        decode(payload, name, part.get_content_charset() or "") if isinstance(payload, bytes) and payload else None
    )
    if decoded is None:
        return
    for sentence in decoded.unread:
        writer.say(sentence)
    if part.get_content_type() == "text/html":
        fill(writer, parse(decoded.text, name))
        return
    text, num_quoted = _REPLY.subn("", decoded.text)
    write_text(writer, text)
    if num_quoted:  # it would look as if the sender said it; the earlier message has it
        writer.say("Lines quoted from earlier messages (>) are left out")


def _attachments(writer: Writer, message: EmailMessage, name: str, level: int) -> None:
    for part in (
        message.iter_attachments() if message.is_multipart() and message.get_content_subtype() != "related" else ()
    ):
        if part.get_content_type() == "message/rfc822" and level < writer.limits.nesting:
            inner = part.get_payload(0)
            if isinstance(inner, EmailMessage):
                _write(writer, inner, name, level + 1)
        else:
            attached = one_line(part.get_filename() or part.get_content_type())[:100]
            writer.say(f'The attachment "{attached}" is not opened; save it beside the message')


def _header(message: EmailMessage, name: str) -> str:
    try:
        return one_line(str(message.get(name) or ""))[:_MAX_HEADER]
    except (
        MessageError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        IndexError,
    ):  # what malformed headers raise
        return ""


def _authors(message: EmailMessage) -> tuple[str, ...]:
    sender = re.sub(r"\s*<[^<>]*>", "", _header(message, "From")).strip("\"' ")
    return (sender,) if sender else ()


def _date(message: EmailMessage) -> str:
    try:
        return parsedate_to_datetime(_header(message, "Date")).date().isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""
