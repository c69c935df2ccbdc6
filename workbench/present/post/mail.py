"""An answer to a mail as an mbox that ``git send-email`` sends unchanged.

It quotes paragraphs of the mail, each above the part that answers it. It has no From, Date and Message-ID, which the
sender's program adds, so that the same input gives the same bytes.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from email import policy
from email.encoders import encode_base64
from email.header import Header
from email.message import Message
from email.utils import formataddr
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.present.files import write_file
from workbench.present.post.lines import quoted, typed, wrapped
from workbench.present.post.post import Post
from workbench.present.post.received import Address, Mail, chosen, read_mail, words_of
from workbench.present.post.section import Attachment

#: As git format-patch begins an mbox: no date of today.
FROM_LINE = "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n"
BOUNDARY = "=-paravirt-workbench"
#: Header lines stand as they are written here; "From " lines are seen to below.
_AS_WRITTEN = policy.compat32.clone(max_line_length=None, mangle_from_=False)
#: format=fixed (RFC 3676): a mail program must not join lines, nor take a space from a line's begin.
PLAIN = 'text/plain; charset="us-ascii"; format=fixed'
LONGEST_WORD = 60  #: characters of one that stands in a header
LONGEST_LINE = 998  #: characters (RFC 5322, section 2.1.1)


def reply(post: Post, mail: Mail, quotes: Sequence[str] = ()) -> str:
    """Return the text of an answer: the claim, then the parts, each below the paragraph that it answers.

    The first of ``quotes`` (see :func:`chosen`) stands above the first part, and so on. Raises WorkbenchError for a
    paragraph that the mail does not have, and for more of them than parts.
    """
    told = chosen(mail, quotes)
    if len(told) > len(post.sections):
        raise WorkbenchError(f"{len(told)} paragraphs are quoted, and the post has {len(post.sections)} parts")
    above = [quoted(one) for one in told] or [quoted(one) for one in _answered(post, mail)]
    head = wrapped(typed(f"{f'On {mail.date}, ' if mail.date else ''}{mail.author} wrote:"))
    parts = [post.claim(), *([head] if above else [])]
    for number in range(len(post.sections)):
        parts += [*above[number : number + 1], post.part(number)]
    return "\n".join([*parts, post.ending()])


def whole(
    post: Post, answered: Mail | None = None, quotes: Sequence[str] = (), subject: str = "", attach: Sequence[str] = ()
) -> str:
    """Return what is sent: an answer as an mbox, a mail of its own as an mbox if it has a subject, and else text."""
    text = post.text() if answered is None else reply(post, answered, quotes)
    return mbox(text, answered, subject, attached(post, attach)) if answered is not None or subject else text


def save(
    post: Post, path: str | Path, reply_to: str | Path | None = None, quotes: Sequence[str] = (), *, subject: str = "",
    attach: Sequence[str] = (), message_id: str | None = None,
) -> None:  # fmt: skip
    """Write a post into a file, as text or as a mail: what ``workbench post -o PATH`` writes with the same options.

    Raises WorkbenchError for a mail that cannot be answered, and for a file that cannot be written.
    """
    answered = None if reply_to is None else read_mail(Path(reply_to), message_id)
    write_file(Path(path), whole(post, answered, quotes, subject, attach))


def _answered(post: Post, mail: Mail) -> list[str]:
    """Return the sentences that the parts answer; raise WorkbenchError if the mail does not hold them."""
    words = words_of("\n".join(mail.paragraphs))
    found = [section.quote for section in post.sections if section.quote]
    for quote in found:
        if quote not in words:
            raise WorkbenchError(f"the mail does not say {quote!r}, which the post answers; quote with --quote")
    return found


def mbox(text: str, mail: Mail | None, subject: str = "", attachments: Sequence[Attachment] = ()) -> str:
    """Return a mail as an mbox: an answer to ``mail`` (None: to none), with its subject unless another is given.

    Raises WorkbenchError for a subject of control characters, or of several lines.
    """
    if not subject.isprintable():
        raise WorkbenchError(f"a subject is one line of text, not {subject!r}")
    made = Message(_AS_WRITTEN)
    if mail is not None:
        is_reply = mail.subject.casefold().startswith("re:")
        subject = subject or (mail.subject if is_reply else f"Re: {mail.subject}".rstrip())
        made["To"] = _folded(map(_address, mail.answer_to))
        if mail.copies:
            made["Cc"] = _folded(map(_address, mail.copies))
        made["In-Reply-To"] = mail.message_id
        made["References"] = "\n ".join([*(one for one in mail.references if one != mail.message_id), mail.message_id])
    made["Subject"] = Header(subject, None if _stands(subject) else "utf-8", 76, "Subject").encode()
    made["MIME-Version"] = "1.0"
    body = _part(PLAIN, _stuffed(text).encode("ascii"), made if not attachments else Message(_AS_WRITTEN))
    if attachments:
        files = [_file(one) for one in attachments]
        boundary = BOUNDARY
        while any(boundary in one.as_string() for one in files):
            boundary += "-"
        made["Content-Type"] = f'multipart/mixed; boundary="{boundary}"'
        made.set_payload([body, *files])
    return FROM_LINE + made.as_string()


def _folded(addresses: Iterable[str]) -> str:
    return ",\n ".join(addresses)


def _address(of: Address) -> str:
    name, address = of
    if _stands(name):
        return formataddr((name, address))
    return f"{Header(name, 'utf-8', 70).encode()} <{address}>"


def _stands(text: str) -> bool:
    """Return whether text needs no encoded words in a header: it is ASCII, looks like none, and can be folded."""
    return text.isascii() and "=?" not in text and all(len(word) <= LONGEST_WORD for word in text.split())


def _part(kind: str, content: bytes, made: Message) -> Message:
    """Enter text of ASCII in lines as it stands, and all else as base64."""
    made["Content-Type"] = kind
    lines = content.split(b"\n")
    stands = content.isascii() and kind.startswith("text/") and b"\r" not in content and b"\0" not in content
    if stands and not any(line.startswith(b"From ") or len(line) > LONGEST_LINE for line in lines):
        made["Content-Transfer-Encoding"] = "7bit"
        made.set_payload(content.decode("ascii"))
    else:
        made.set_payload(content)
        encode_base64(made)
    return made


def _file(one: Attachment) -> Message:
    kind = f'{one.kind}; charset="us-ascii"' if one.kind.startswith("text/") else one.kind
    made = _part(kind, one.content, Message(_AS_WRITTEN))
    made.add_header("Content-Disposition", "attachment", filename=one.name)
    return made


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
            asked = post.asked
            view = failure_map(asked.cells, asked.variants, asked.all_sizes(), happening=asked.events)
            content = gzip.compress(page("What fails", [view]).encode(), mtime=0)
            found.append(Attachment("failures.html.gz", content, "application/gzip"))
    return found
