"""The mail that is answered: from a raw mail or an mbox, packed by gzip or not, its headers and paragraphs decoded.

An answer takes Message-IDs, addresses and lines of text from it, nothing else. A header is taken apart before its
encoded words are decoded, so that what they hold adds neither an address nor a line (RFC 2047, section 6.2).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email import policy
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import getaddresses
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.present.post.lines import typed
from workbench.printable import printable
from workbench.reading import MOST_BYTES, read_bytes

RAW = "save the raw mail (lore.kernel.org: raw, or the mbox of the thread)"
_ID = re.compile(r"<[!-;=?-~]{1,900}>")  # a line of a header has 998 characters at most
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"  # RFC 5322, section 3.2.3
_ADDRESS = re.compile(rf"{_ATOM}(\.{_ATOM})*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
#: What Python's email package raises for mails that it cannot take apart, besides its own errors.
_BROKEN = (MessageError, ValueError, LookupError, AttributeError, TypeError, RecursionError)

_POINT = re.compile(r"\s*([-*]|\d{1,2}[.)])\s+\S")  # begins a point of a list
_REMARK = re.compile(r" # ?[^,<>\"]*")  # "stable@vger.kernel.org # 5.10+", as the kernel writes it
LISTED = 20  #: Message-IDs in an error
LONGEST_HEADER = 1 << 16  #: characters; Python takes minutes over longer ones
LONGEST_ADDRESS = 254  #: characters (RFC 5321, section 4.5.3.1.3)

Address = tuple[str, str]  #: name, which may be empty, and address


@dataclass(frozen=True)
class Mail:
    """What an answer needs of the mail that it answers."""

    subject: str
    message_id: str
    references: tuple[str, ...]
    answer_to: tuple[Address, ...]
    copies: tuple[Address, ...]
    left_out: tuple[str, ...]  #: what stands among the addresses of the mail and is none
    date: str
    author: str
    paragraphs: tuple[str, ...]


def read_mail(path: Path, message_id: str | None = None) -> Mail:
    """Return the mail of a file: a raw mail, or an mbox, of which ``message_id`` names the mail if it has several.

    Raises WorkbenchError if the file cannot be read, is no mail, or holds several and none is named.
    """
    where, content = repr(str(path)), _unpacked(path)
    try:
        found = [BytesParser(policy=policy.default).parsebytes(one) for one in _mails(content)]
        return _one_of(where, found, message_id)
    except WorkbenchError:
        raise
    except _BROKEN as error:
        raise WorkbenchError(f"{where} is no mail that can be taken apart: {error}") from error


def _one_of(where: str, found: list[EmailMessage], message_id: str | None) -> Mail:
    ids = [_message_id(one) for one in found]
    if message_id is not None:
        wanted = message_id if message_id.startswith("<") else f"<{message_id}>"
        if wanted not in ids:
            raise WorkbenchError(f"{where} holds no mail with the Message-ID {message_id!r}", _named(ids))
        return _mail(where, found[ids.index(wanted)])  # of several copies, the first
    if len(found) > 1:
        raise WorkbenchError(f"{where} holds {len(found)} mails; name one with --message-id", _named(ids))
    return _mail(where, found[0])


def _named(ids: Iterable[str]) -> list[str]:
    """Return the first few, each once."""
    found = [one for one in dict.fromkeys(ids) if one]
    return [*found[:LISTED], f"and {len(found) - LISTED} more"] if len(found) > LISTED else found


def _unpacked(path: Path) -> bytes:
    """Return the content with LF line ends, without a byte order mark; what gzip has packed is unpacked."""
    content = read_bytes(path, "mail")
    if content.startswith(b"\x1f\x8b"):
        try:
            unpacker = zlib.decompressobj(wbits=31)
            content = unpacker.decompress(content, MOST_BYTES + 1)
        except zlib.error as error:
            raise WorkbenchError(f"mail {str(path)!r} cannot be unpacked: {error}") from error
        if len(content) > MOST_BYTES:
            raise WorkbenchError(f"mail {str(path)!r} is longer than {MOST_BYTES >> 20} MiB when unpacked")
        if not unpacker.eof:
            raise WorkbenchError(f"mail {str(path)!r} cannot be unpacked: it ends too early")
    return content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")


def _mails(content: bytes) -> list[bytes]:
    """Split an mbox before each line that begins with "From ", follows an empty line, and is followed by a header.

    In an mbox a line of a mail that begins with "From " has a mark before it (mboxrd), which goes.
    """
    lines = content.split(b"\n")
    before, after = [b"", *lines], [*lines[1:], b""]
    begins = [
        number
        for number, line in enumerate(lines)
        if line.startswith(b"From ") and not before[number] and re.match(rb"[!-9;-~]+:", after[number])
    ]
    if not begins or begins[0] != 0:
        return [content]
    ends = [*begins[1:], len(lines)]
    mails = (b"\n".join(lines[start + 1 : end]) for start, end in zip(begins, ends, strict=True))
    return [re.sub(rb"(?m)^>(>*From )", rb"\1", one) for one in mails]


def _raw(mail: EmailMessage, name: str) -> str:
    """Return the first header of that name as it stands, in one line; its bytes may be UTF-8."""
    value = next((str(value) for key, value in mail.raw_items() if key.casefold() == name.casefold()), "")
    return " ".join(value.encode("ascii", "surrogateescape").decode("utf-8", "replace").split())


def _decoded(text: str) -> str:
    """Return text with its encoded words decoded, as one printable line."""
    with suppress(*_BROKEN):  # what cannot be decoded is shown as it stands
        text = str(make_header(decode_header(text)))
    return printable(" ".join(text.split()))


def _message_id(mail: EmailMessage) -> str:
    found = _ID.search(_raw(mail, "Message-ID"))
    return found[0] if found else ""


def _mail(where: str, mail: EmailMessage) -> Mail:
    longest = max((len(value) for _, value in mail.raw_items()), default=0)
    if longest > LONGEST_HEADER:
        raise WorkbenchError(f"{where} has a header of {longest} characters; {LONGEST_HEADER} are the most")
    if not (author := _raw(mail, "From")):
        raise WorkbenchError(f"{where} is no mail: it has no header From; {RAW}")
    if not (message_id := _message_id(mail)):
        raise WorkbenchError(f"{where} has no header Message-ID with an <id>, so no answer can refer to it; {RAW}")
    answer_to, strange = _addresses(_raw(mail, "Reply-To") or author)
    copies, others = _addresses(_raw(mail, "To"), _raw(mail, "Cc"))
    if not answer_to:
        raise WorkbenchError(f"{where} has no address in From or Reply-To that an answer could go to; {RAW}")
    there = {address.casefold() for _, address in answer_to}
    names = [name for name, _ in _addresses(author)[0] if name]
    parents = _ID.findall(_raw(mail, "References")) or _ID.findall(_raw(mail, "In-Reply-To"))[:1]
    return Mail(
        _decoded(_raw(mail, "Subject")), message_id, tuple(dict.fromkeys(parents)), tuple(answer_to),
        tuple(one for one in copies if one[1].casefold() not in there), (*strange, *others),
        _decoded(_raw(mail, "Date")), names[0] if names else _decoded(author), _paragraphs(_text(where, mail)),
    )  # fmt: skip


def _addresses(*headers: str) -> tuple[list[Address], list[str]]:
    """Return the addresses, each once, and what is none."""
    found: dict[str, Address] = {}
    strange = []
    for name, address in getaddresses([_REMARK.sub("", one) for one in headers if one]):
        if _ADDRESS.fullmatch(address) and "=?" not in address and len(address) <= LONGEST_ADDRESS:
            found.setdefault(address.casefold(), (_decoded(name), address))
        elif address:
            strange.append(_decoded(address))
    return list(found.values()), strange


def _text(where: str, mail: EmailMessage) -> str:
    """Return the text/plain part; bytes whose charset is not told are UTF-8."""
    body = mail.get_body(preferencelist=("plain",))
    if body is None:
        raise WorkbenchError(f"{where} has no text/plain part that could be quoted")
    content, charset = body.get_payload(decode=True), str(body.get_param("charset") or "us-ascii").casefold()
    assert isinstance(content, bytes), "text/plain is not a multipart"
    try:
        text = content.decode("utf-8" if charset in ("us-ascii", "ascii", "unknown-8bit") else charset, "replace")
    except (ValueError, LookupError) as error:
        raise WorkbenchError(f"{where} has text that cannot be decoded: {error}") from error
    flowed, delsp = (str(body.get_param(name)).casefold() for name in ("format", "delsp"))
    return unflowed(text, delsp == "yes") if flowed == "flowed" else text


def unflowed(text: str, delete: bool = False) -> str:
    """Return text of format=flowed with its paragraphs joined (RFC 3676, section 4): a line that ends with a space goes
    on in the next of the same quote depth, and a space that was put before a line goes. ``delete``: DelSp=yes.
    """
    found: list[tuple[int, str]] = []
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip(">"))
        words = line[depth:].removeprefix(" ")
        last = found[-1] if found else (0, "")
        if last[1].endswith(" ") and last[1] != "-- " and last[0] == depth and words != "-- ":
            found[-1] = depth, (last[1][:-1] if delete else last[1]) + words
        else:
            found.append((depth, words))
    return "".join(f"{'>' * depth}{' ' if depth and words else ''}{words}\n" for depth, words in found)


def _paragraphs(text: str) -> tuple[str, ...]:
    """Return the runs of lines between empty ones, and between points of a list, which can be answered one by one; a
    line of a quote without text is empty.
    """
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        if not line.strip("> \t") or _POINT.match(line):
            found.append([])
        if line.strip("> \t"):
            found[-1].append(line.rstrip())
    return tuple("\n".join(lines) for lines in found if lines)


def words_of(paragraph: str) -> str:
    """Return the words of a paragraph, without quote marks, as a keyboard types them."""
    return " ".join(typed(re.sub(r"(?m)^[> \t]+", "", paragraph)).split())


def chosen(mail: Mail, wanted: Sequence[str]) -> list[str]:
    """Return the paragraphs that are wanted: by number (from 1), or by words that stand in one of them alone."""
    return [_chosen(mail, text) for text in wanted]


def _chosen(mail: Mail, text: str) -> str:
    most = len(mail.paragraphs)
    if text.isascii() and text.isdigit():
        if not 1 <= int(text[:9]) <= most:
            raise WorkbenchError(f"the mail has {most} paragraphs; --quote {text} names none of them")
        return mail.paragraphs[int(text[:9]) - 1]
    words = words_of(text)
    found = [one for one in mail.paragraphs if words in words_of(one)]
    if len(found) != 1:
        raise WorkbenchError(f"--quote {text!r} stands in {len(found)} of the mail's {most} paragraphs; "
                             "name one by its number, or by words that stand in it alone")  # fmt: skip
    return found[0]


__all__ = ["Mail", "chosen", "read_mail", "unflowed", "words_of"]
