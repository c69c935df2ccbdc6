"""A mail that is answered, and the answer as an mbox that ``git send-email`` sends unchanged.

The answer quotes paragraphs of the mail, each above the part that answers it. It has no From, Date and Message-ID,
which the sender's program adds, so that the same input gives the same bytes.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import formataddr, getaddresses
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.present.post.lines import quoted, wrapped
from workbench.present.post.post import Post
from workbench.present.post.section import Attachment
from workbench.reading import read_bytes

#: As git format-patch begins an mbox: no date of today.
FROM_LINE = "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n"
RAW = "save the raw mail (lore.kernel.org: raw, or the mbox of the thread)"
BOUNDARY = "=-paravirt-workbench"


@dataclass(frozen=True)
class Mail:
    """What an answer needs of the mail that it answers."""

    subject: str
    message_id: str
    references: str
    answer_to: tuple[tuple[str, str], ...]  #: (name, address)
    copies: tuple[tuple[str, str], ...]
    date: str
    author: str
    paragraphs: tuple[str, ...]


def read_mail(path: Path, message_id: str | None = None) -> Mail:
    """Return the mail of a file: a raw mail, or an mbox, of which ``message_id`` names the mail if it has several.

    Raises WorkbenchError if the file cannot be read, is no mail, or holds several and none is named.
    """
    found = [_parsed(path, part) for part in _mails(read_bytes(path, "mail"))]
    if message_id is not None:
        found = [one for one in found if _header(one, "Message-ID") in (message_id, f"<{message_id}>")] or _none(
            path, message_id, found
        )
    if len(found) > 1:
        raise WorkbenchError(f"{str(path)!r} holds {len(found)} mails; name one with --message-id",
                             [_header(one, "Message-ID") for one in found])  # fmt: skip
    return _mail(path, found[0])


def _none(path: Path, message_id: str, found: Sequence[EmailMessage]) -> list[EmailMessage]:
    raise WorkbenchError(f"{str(path)!r} holds no mail with the Message-ID {message_id!r}",
                         [_header(one, "Message-ID") for one in found])  # fmt: skip


def _mails(content: bytes) -> list[bytes]:
    """Split an mbox before each line that begins with "From ", follows an empty line, and is followed by a header."""
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    if not lines[0].startswith(b"From "):
        return [content]
    before, after = [b"", *lines], [*lines[1:], b""]
    begins = [
        number
        for number, line in enumerate(lines)
        if line.startswith(b"From ") and not before[number] and b" " not in (after[number].partition(b":")[0] or b" ")
    ]
    return [b"\n".join(lines[start + 1 : end]) for start, end in zip(begins, [*begins[1:], len(lines)], strict=True)]


def _parsed(path: Path, content: bytes) -> EmailMessage:
    try:
        found = BytesParser(policy=policy.default).parsebytes(content)
        author = _header(found, "From")
    except (MessageError, ValueError, LookupError, IndexError, AttributeError) as error:
        raise WorkbenchError(f"{str(path)!r} is no mail: {error}") from error
    if not author:
        raise WorkbenchError(f"{str(path)!r} is no mail: it has no header From; {RAW}")
    if not _header(found, "Message-ID"):
        raise WorkbenchError(f"{str(path)!r} has no header Message-ID, so no answer can refer to it; {RAW}")
    return found


def _header(mail: EmailMessage, name: str) -> str:
    """Return a header in one line; its encoded words are decoded."""
    value = mail.get(name)
    return "" if value is None else " ".join(str(value).split())


def _mail(path: Path, mail: EmailMessage) -> Mail:
    body = mail.get_body(preferencelist=("plain",))
    if body is None:
        raise WorkbenchError(f"{str(path)!r} has no text/plain part that could be quoted")
    try:
        text = str(body.get_content())
    except (LookupError, ValueError) as error:
        raise WorkbenchError(f"{str(path)!r} has text that cannot be decoded: {error}") from error
    author = _header(mail, "From")
    answer_to = _addresses(_header(mail, "Reply-To") or author)
    named = {address for _, address in answer_to}
    copies = [one for one in _addresses(_header(mail, "To"), _header(mail, "Cc")) if one[1] not in named]
    return Mail(
        _header(mail, "Subject"), _header(mail, "Message-ID"), _header(mail, "References"),
        tuple(answer_to), tuple(copies), _header(mail, "Date"),
        next((name for name, _ in _addresses(author) if name), author), tuple(_paragraphs(text)),
    )  # fmt: skip


def _addresses(*headers: str) -> list[tuple[str, str]]:
    found = {address: name for name, address in getaddresses([one for one in headers if one]) if address}
    return [(name, address) for address, name in found.items()]


def _paragraphs(text: str) -> list[str]:
    """Return the runs of lines between empty ones; a line of a quote without text is empty."""
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip("> \t"):
            found[-1].append(line.rstrip())
        elif found[-1]:
            found.append([])
    return ["\n".join(lines) for lines in found if lines]


def chosen(mail: Mail, wanted: Sequence[str]) -> list[str]:
    """Return the paragraphs that are wanted: by number (from 1), or by words that stand in one of them alone."""
    return [_chosen(mail, text) for text in wanted]


def _chosen(mail: Mail, text: str) -> str:
    most = len(mail.paragraphs)
    if text.isascii() and text.isdigit():
        if not 1 <= int(text[:9]) <= most:
            raise WorkbenchError(f"the mail has {most} paragraphs; --quote {text} names none of them")
        return mail.paragraphs[int(text) - 1]
    words = " ".join(text.split())
    found = [one for one in mail.paragraphs if words in " ".join(one.replace("\n> ", " ").split())]
    if len(found) != 1:
        raise WorkbenchError(f"--quote {text!r} stands in {len(found)} of the mail's {most} paragraphs; "
                             "name one by its number, or by words that stand in it alone")  # fmt: skip
    return found[0]


def reply(post: Post, mail: Mail, quotes: Sequence[str] = ()) -> str:
    """Return the text of an answer: the claim, then the parts, each below the paragraph that it answers.

    The first of ``quotes`` (see :func:`chosen`) stands above the first part, and so on. Raises WorkbenchError for a
    paragraph that the mail does not have, and for more of them than parts.
    """
    told = chosen(mail, quotes)
    if len(told) > len(post.sections):
        raise WorkbenchError(f"{len(told)} paragraphs are quoted, and the post has {len(post.sections)} parts")
    above = [quoted(one) for one in told] or [quoted(one) for one in _answered(post, mail)]
    head = wrapped(f"{f'On {mail.date}, ' if mail.date else ''}{mail.author} wrote:")
    parts = [post.claim(), *([head] if above else [])]
    for number in range(len(post.sections)):
        parts += [*above[number : number + 1], post.part(number)]
    return "\n".join([*parts, post.ending()])


def _answered(post: Post, mail: Mail) -> list[str]:
    """Return the sentences that the parts answer; raise WorkbenchError if the mail does not hold them."""
    words = " ".join(" ".join(mail.paragraphs).replace("\n> ", " ").split())
    found = [section.quote for section in post.sections if section.quote]
    for quote in found:
        if quote not in words:
            raise WorkbenchError(f"the mail does not say {quote!r}, which the post answers; quote with --quote")
    return found


def mbox(text: str, mail: Mail | None, subject: str = "", attachments: Sequence[Attachment] = ()) -> str:
    """Return a mail as an mbox: an answer to ``mail`` (None: to none), with its subject unless another is given."""
    made = EmailMessage(policy=policy.default.clone(max_line_length=78, cte_type="7bit"))
    if mail is not None:
        is_reply = mail.subject.casefold().startswith("re:")
        subject = subject or (mail.subject if is_reply else f"Re: {mail.subject}")
        made["To"] = ", ".join(map(formataddr, mail.answer_to))
        if mail.copies:
            made["Cc"] = ", ".join(map(formataddr, mail.copies))
        made["In-Reply-To"] = mail.message_id
        made["References"] = " ".join([*mail.references.split(), mail.message_id])
    made["Subject"] = subject
    made.set_content(_stuffed(text), charset="us-ascii", cte="7bit")
    for one in attachments:
        main, _, sub = one.kind.partition("/")
        if main == "text":
            made.add_attachment(one.content.decode("ascii"), sub, "us-ascii", cte="7bit", filename=one.name)
        else:
            made.add_attachment(one.content, main, sub, filename=one.name)
    if attachments:
        made.set_boundary(BOUNDARY)
    return FROM_LINE + made.as_string()


def _stuffed(text: str) -> str:
    """Put a space before a line that begins like the first line of a mail in an mbox."""
    return "".join(f" {line}" if line.startswith("From ") else line for line in text.splitlines(keepends=True))


def attached(post: Post, kinds: Sequence[str]) -> list[Attachment]:
    """Return the files of these kinds: ``trace`` replays each trace shown, ``csv`` has all measurements, ``page`` is
    the failure map as one HTML file, compressed because lists refuse HTML.
    """
    from workbench.present.records import as_csv, of_frame
    from workbench.present.web import failure_map, page

    found = []
    for kind in kinds:
        if kind == "trace":
            found += post.attachments()
        elif kind == "csv":
            found.append(Attachment("comparison.csv", as_csv(of_frame(post.asked.table)).encode("ascii"), "text/plain"))
        else:
            view = failure_map(post.asked.cells, post.asked.variants, post.asked.sizes or ())
            content = gzip.compress(page("What fails", [view]).encode(), mtime=0)
            found.append(Attachment("failures.html.gz", content, "application/gzip"))
    return found
