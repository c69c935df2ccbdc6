"""The mail that ``workbench post`` answers, whatever it holds, and the answer that git and Python read."""

import gzip
import os
import random
import re
import shutil
import subprocess
from dataclasses import replace
from email import message_from_string, policy
from pathlib import Path

import pytest

from workbench.cli import main
from workbench.errors import WorkbenchError
from workbench.measure.exploration.matrix import Size
from workbench.paths import DATA
from workbench.present.post import mail, post, received, save
from workbench.present.post.lines import quoted
from workbench.present.post.section import Attachment

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "review-2011.eml"
GOLDEN = DATA / "posts" / "review-2011.mbox"
REVIEW = """\
From: "Ann \u00c9mile" <ann@example.org>
To: Glauber <glauber@example.org>, kvm@example.org
Cc: bob@example.org
Date: Wed, 26 Jan 2011 13:06:54 +0200
Subject: Re: [PATCH 01/16] register
Message-ID: <1@example.org>
References: <0@example.org>
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

On 24 January, Glauber wrote:
> The idea is that the guest tells the hypervisor.
>
> This is generic.

From what I see, it doesn't lend itself to live migration, because the state is nowhere but in the hypervisor itself.

What\u2019s wrong with one MSR per feature?
"""


@pytest.fixture(scope="module")
def made():
    about = ("exits", "trace F02:migrate:generic")
    return post(about, events=("boot", "migrate"), features=["steal_time"], vcpus=1,
                sizes=[Size(1, ("steal_time",))])  # fmt: skip


@pytest.fixture
def review(tmp_path):
    path = tmp_path / "review.eml"
    path.write_text(REVIEW)
    return path


def read(tmp_path, content):
    path = tmp_path / "mail"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return received.read_mail(path)


def parsed(text):
    return message_from_string(text.partition("\n")[2], policy=policy.default)


def is_plain(text):
    return all(" " <= one <= "~" for one in text.replace("\n", "")) and all(
        len(line) <= 72 and line == line.rstrip() for line in text.splitlines()
    )


def test_an_answer_quotes_each_paragraph_above_the_part_that_answers_it(made, review):
    answered = received.read_mail(review)
    text = mail.reply(made, answered, ["one MSR per feature", "3"])
    assert is_plain(text)
    first, second = text.index("> What's wrong with one MSR per feature?"), text.index("> From what I see")
    assert first < text.index("1. Exits") < second < text.index("2. How it fails")
    assert "On Wed, 26 Jan 2011 13:06:54 +0200, Ann Emile wrote:" in text


def test_points_of_a_list_are_answered_one_by_one():
    answered = received.read_mail(EXAMPLE)
    assert received.chosen(answered, ["live migration", "hardware"]) == [
        "- it doesn't lend itself will to live migration.  Extra state must be\n  maintained in the hypervisor.",
        "- it isn't how normal hardware operates",
    ]


def test_an_mbox_is_read_by_python(made, review):
    answered = received.read_mail(review)
    text = mail.mbox(mail.reply(made, answered, ["1"]), answered)
    sent = parsed(text)
    assert sent["Subject"] == "Re: [PATCH 01/16] register"
    assert (sent["In-Reply-To"], sent["References"]) == ("<1@example.org>", "<0@example.org> <1@example.org>")
    assert [one.addr_spec for one in sent["To"].addresses] == ["ann@example.org"]
    assert [one.addr_spec for one in sent["Cc"].addresses] == [
        "glauber@example.org", "kvm@example.org", "bob@example.org"
    ]  # fmt: skip
    assert sent["Content-Type"].params == {"charset": "us-ascii", "format": "fixed"}
    assert sent.get_content() == mail.reply(made, answered, ["1"])


def test_attachments_are_of_kinds_that_lists_accept(made):
    files = mail.attached(made, ["trace", "csv", "page"])
    text = mail.mbox(made.text(), None, "Numbers", files)
    parts = list(parsed(text).iter_attachments())
    kinds = [(part.get_filename(), part.get_content_type()) for part in parts]
    assert kinds == [
        ("generic-migrate-lost-registration.py", "text/plain"),
        ("comparison.csv", "text/plain"),
        ("failures.html.gz", "application/gzip"),
    ]
    assert parts[1].get_content().startswith("protocol,")
    assert gzip.decompress(parts[2].get_content()).startswith(b"<!doctype html>")
    assert text.isascii()


def test_an_answer_to_another_mail_is_refused(made, review):
    """Parts that answer sentences of a mail need these sentences; the mail may break and mark them as it likes."""
    said = ("it isn't how normal hardware operates", "what's wrong with one msr per feature?")
    parts = tuple(replace(made.sections[0], quote=quote, short="x") for quote in said)
    answer = replace(made, sections=parts)
    with pytest.raises(WorkbenchError, match="the mail does not say"):
        mail.reply(answer, received.read_mail(review))
    review.write_text(f"{REVIEW}\n> {said[0][:20]}\n>{said[0][20:]}\n\n{said[1].replace(chr(39), chr(0x2019))}\n")
    text = mail.reply(answer, received.read_mail(review))
    assert [line for line in text.splitlines() if line.startswith("> ")] == [f"> {quote}" for quote in said]


def test_an_event_from_a_file_has_its_trace_and_its_page(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from workbench.lifecycle.kexec import KexecWithoutTeardown\n\n\n"
        'class Mine(KexecWithoutTeardown):\n    """Kexec, again."""\n\n    name = "my-kexec"\n'
    )
    told = post(["trace"], ["generic"], [f"{path}:Mine"], ["steal_time"], 1, sizes=[Size(1, ("steal_time",))])
    assert "generic: stray write in my-kexec" in told.text()
    assert "my-kexec" in gzip.decompress(mail.attached(told, ["page"])[0].content).decode()


def test_an_attachment_arrives_as_it_is():
    """A line that an mbox would take for a mail, a line too long for a mail, and our own boundary."""
    for content in (b"a\nFrom me\n", b"x" * 2000, f"--{mail.BOUNDARY}--\n".encode(), b"a\r\nb\0\n"):
        text = mail.mbox("x\n", None, "s", [Attachment("a.txt", content, "text/plain")])
        (part,) = parsed(text).iter_attachments()
        assert part.get_payload(decode=True) == content
        assert max(map(len, text.splitlines())) <= 998
        assert text.count("\nFrom ") == 0


def test_a_reply_keeps_its_subject_and_a_patch_gets_re(review):
    answered = received.read_mail(review)
    assert "Subject: Re: [PATCH 01/16] register\n" in mail.mbox("x\n", answered)
    review.write_text(REVIEW.replace("Subject: Re: ", "Subject: "))
    assert "Subject: Re: [PATCH 01/16] register\n" in mail.mbox("x\n", received.read_mail(review))


def test_one_mail_of_an_mbox_is_named(tmp_path):
    other = REVIEW.replace("<1@example.org>", "<2@example.org>").replace("register", "other")
    thread = f"From a Mon Jan 1\n{REVIEW}\nFrom b Mon Jan 1\n{other}\nFrom c Mon Jan 1\nX-Broken: yes\n\nx\n"
    path = tmp_path / "thread.mbox"
    for content in (thread.encode(), gzip.compress(thread.encode()), thread.replace("\n", "\r\n").encode()):
        path.write_bytes(content)
        with pytest.raises(WorkbenchError, match=r"holds 3 mails; name one .* <1@example\.org>, <2@example\.org>"):
            received.read_mail(path)
        assert received.read_mail(path, "2@example.org").subject.endswith("other")
        with pytest.raises(WorkbenchError, match="no mail with the Message-ID '3'"):
            received.read_mail(path, "3")
    path.write_text(f"From a Mon Jan 1\n{other}\nFrom b Mon Jan 1\n{other}")
    assert received.read_mail(path, "<2@example.org>").subject.endswith("other"), "two copies are one mail"


# -- mail of all kinds --------------------------------------------------------------------------------------

HEAD = "From: a <a@b.org>\nMessage-ID: <1@b>\n"


@pytest.mark.parametrize(
    ("content", "paragraphs"),
    [
        (HEAD + "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\naMOkCg==\n",
         ["h\u00e4"]),
        (HEAD + "Content-Transfer-Encoding: quoted-printable\n\na=\nb =3D\n", ["ab ="]),
        (HEAD.encode() + b"Content-Type: text/plain; charset=iso-8859-1\n\nh\xe4\n", ["h\u00e4"]),
        (HEAD.encode() + b"\nh\xc3\xa4, and \xff\n", ["h\u00e4, and \ufffd"]),
        (HEAD.encode() + b'Content-Type: text/plain; charset="us-ascii"\n\nh\xc3\xa4\n', ["h\u00e4"]),
        (HEAD + "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>\n--b\n\nx\n"
         "--b--\n", ["x"]),
        (HEAD + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n", ["x"]),
        (HEAD + "Content-Type: text/plain; format=flowed\n\n> a \n> b\n c \nd\n-- \nme\n", ["> a b\nc d\n--\nme"]),
        (HEAD + "Content-Type: text/plain; format=flowed; delsp=yes\n\na \nb\n", ["ab"]),
        ("From x\n" + HEAD + "\n>From a\n>>From b\nFrom c\n", ["From a\n>From b\nFrom c"]),
        (HEAD + "\n>From a\n", [">From a"]),
        (HEAD.replace("\n", "\r\n") + "\r\nx\r\n", ["x"]),
        ("\ufeff" + HEAD + "\nx\n", ["x"]),
        (HEAD + "\na\n* b\n  c\n1. d\n> - e\n\n\n-- \nme\n", ["a", "* b\n  c", "1. d\n> - e", "--\nme"]),
        (HEAD + "\n", []),
    ],
)  # fmt: skip
def test_text_of_all_kinds(content, paragraphs, tmp_path):
    assert list(read(tmp_path, content).paragraphs) == paragraphs


@pytest.mark.parametrize(
    ("headers", "to", "copies", "left_out"),
    [
        ("To: b@c, A@B.org", ["a@b.org"], ["b@c"], 0),
        ("Reply-To: l@c", ["l@c"], [], 0),
        ("Cc: =?utf-8?q?x=2C_evil=40d?= <b@c>", ["a@b.org"], ["b@c"], 0),
        ("Cc: \"x, y\" <b@c>,\n (a, b@d) \u00e9 <e@f>", ["a@b.org"], ["b@c", "e@f"], 0),
        ("Cc: undisclosed-recipients:;, list: b@c, d@e;", ["a@b.org"], ["b@c", "d@e"], 0),
        ("Cc: b@c, <x@y@z>, \u00e9@f, stable@c # 5.10+, nobody", ["a@b.org"], ["b@c", "stable@c"], 3),
        ("Cc: =?utf-8?q?a@b?=@c, " + "x" * 300 + "@c", ["a@b.org"], [], 2),
    ],
)
def test_addresses_of_all_kinds(headers, to, copies, left_out, tmp_path):
    answered = read(tmp_path, f"{HEAD}{headers}\n\nx\n")
    assert [address for _, address in answered.answer_to] == to
    assert [address for _, address in answered.copies] == copies
    assert len(answered.left_out) == left_out
    sent = parsed(mail.mbox("x\n", answered))
    assert [one.addr_spec for one in sent["To"].addresses] == to
    assert [one.addr_spec for one in sent["Cc"].addresses if sent["Cc"]] == copies if copies else sent["Cc"] is None


@pytest.mark.parametrize(
    ("headers", "subject", "references"),
    [
        ("Subject: =?utf-8?q?a=0ABcc:_x=40y?=", "Re: a Bcc: x@y", ["<1@b>"]),
        ("Subject: =?utf-8?b?w6TDtsO8?= =?utf-8?b?w6TDtsO8?=\nReferences: <0@b>\n\t<0@b> junk <2@b>",
         "Re: \u00e4\u00f6\u00fc\u00e4\u00f6\u00fc", ["<0@b>", "<2@b>", "<1@b>"]),
        ("Subject: a\n b\n\tc\nIn-Reply-To: <0@b> (of yesterday)", "Re: a b c", ["<0@b>", "<1@b>"]),
        ("Subject: RE: a\nReferences: <1@b>", "RE: a", ["<1@b>"]),
        ("Subject: =?klingon?b?AAAA?=", "Re: =?klingon?b?AAAA?=", ["<1@b>"]),
        ("Subject: " + "x" * 3000, "Re: " + "x" * 3000, ["<1@b>"]),
        ("X: y", "Re:", ["<1@b>"]),
        ("Subject: a\x1b[31m\x00\u202eb", "Re: a\\x1b[31m\\x00\\u202eb", ["<1@b>"]),
    ],
)
def test_headers_of_all_kinds_stay_in_their_headers(headers, subject, references, tmp_path):
    text = mail.mbox("x\n", read(tmp_path, f"{HEAD}{headers}\n\nx\n"))
    assert max(map(len, text.splitlines())) <= 998
    sent = parsed(text)
    assert sent.keys() == [
        "To", "In-Reply-To", "References", "Subject", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"
    ]  # fmt: skip
    assert (str(sent["Subject"]), sent["References"].split()) == (subject, references)


def test_a_quote_is_ascii_of_72_columns_whatever_it_quotes():
    text = "it\u2019s \u201cfine\u201d \u2014 \u00c9mile\u2026 caf\u00e9\tx"
    assert quoted(text) == '> it\'s "fine" - Emile... cafe     x\n'
    lines = [">" * 200 + " x", "y" * 500, "\x1b[2J\x00", "From me", ">>> a\u4e2d", "\t\tint x;", " " * 90 + "z"]
    hostile = "\n".join(lines)
    assert is_plain(quoted(hostile))
    assert all(line.startswith(">") for line in quoted(hostile).splitlines())


PARTS = [
    b"\n", b"\r\n", b"=?utf-8?q?", b"?=", b"From ", b">", b"\0", b"\xff", b"=0A", b"Bcc: x@y", b"<", b",", b'"', b";",
    b"(", b"\\", b"\x1b", b"\xe2\x80\xa8", b" ", b"\t", b"--b", b":", b"@", b"charset=hex", b"x" * 1000,
]  # fmt: skip


def test_whatever_a_mail_holds_an_answer_is_a_mail_or_one_line(tmp_path):
    """The example with up to six insertions, deletions and changes, 150 times."""
    chance, sure = random.Random(2011), EXAMPLE.read_bytes() + b"\nFrom \xe2\x80\x99 \xff\n"
    outcomes = set()
    for _ in range(150):
        content = bytearray(sure)
        for _ in range(chance.randint(1, 6)):
            at, how = chance.randrange(len(content)), chance.random()
            if how < 0.6:
                content[at:at] = chance.choice(PARTS)
            elif how < 0.8:
                del content[at : at + chance.randint(1, 30)]
            else:
                content[at] = chance.randrange(256)
        try:
            answered = read(tmp_path, bytes(content))
        except WorkbenchError as error:
            outcomes.add(type(error))
            continue
        outcomes.add("answered")
        body = "".join(map(quoted, answered.paragraphs))
        assert is_plain(body)
        text = mail.mbox(f"{body}x\n", answered)
        sent = parsed(text)
        assert len(sent.keys()) == len(set(sent.keys()))
        assert set(sent.keys()) <= {"To", "Cc", "In-Reply-To", "References", "Subject", "MIME-Version", "Content-Type",
                                    "Content-Transfer-Encoding"}  # fmt: skip
        recipients = [one.addr_spec for name in ("To", "Cc") if sent[name] for one in sent[name].addresses]
        assert recipients == [address for _, address in (*answered.answer_to, *answered.copies)]
        assert sent.get_content() == f"{body}x\n"
    assert outcomes == {"answered", WorkbenchError}


# -- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no mail: it has no header From"),
        (b"once upon a time\n\nFrom here", "is no mail: it has no header From"),
        (b"From here\nto there\n", "is no mail: it has no header From"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is no mail: it has no header From"),
        (b"From: a@b\nSubject: x\n\nhello\n", "has no header Message-ID"),
        (b"From: a@b\nMessage-ID: none\n\nhello\n", "has no header Message-ID"),
        (b"From: nobody\nMessage-ID: <1>\n\nhello\n", "has no address in From or Reply-To"),
        (b"From: a@b\nMessage-ID: <1>\nContent-Type: text/html\n\n<p>\n", "has no text/plain part"),
        (b"From: a@b\nMessage-ID: <1>\nContent-Type: text/plain; charset=klingon\n\nx\n", "cannot be decoded"),
        (b"From: a@b\nMessage-ID: <1>\nContent-Type: text/plain; charset=hex\n\nx\n", "cannot be decoded"),
        (b"From: a@b\nMessage-ID: <1>\nTo: " + b"(" * 60000 + b"\n\nx\n", "is no mail that can be taken apart"),
        (b"From: a@b\nMessage-ID: <1>\nTo: " + b"(" * 70000 + b"\n\nx\n", "a header of 70000 characters"),
        (gzip.compress(REVIEW.encode())[:60], "cannot be unpacked: it ends too early"),
        (b"\x1f\x8bzzzz", "cannot be unpacked"),
        (gzip.compress(bytes(65 << 20)), "longer than 64 MiB when unpacked"),
        (REVIEW.encode(), "--quote 99 names none of them"),
    ],
    ids=["empty", "prose", "From", "png", "no id", "bad id", "no address", "html", "charset", "codec", "comments",
         "long", "cut gzip", "bad gzip", "bomb", "paragraph"],
)  # fmt: skip
def test_what_is_no_mail_is_refused(content, said, tmp_path, capsys):
    path = tmp_path / "mail"
    path.write_bytes(content)
    out = tmp_path / "out"
    assert main(["post", "--about", "exits", "--reply-to", str(path), "--quote", "99", "-o", str(out)]) == 2
    told = capsys.readouterr()
    assert (said in told.err, told.err.count("\n"), told.out) == (True, 1, ""), told.err
    assert not out.exists()


def test_an_address_that_is_none_is_told(review, capsys):
    review.write_text(REVIEW.replace("bob@example.org", "bob@@example.org"))
    asked = ["post", "--about", "exits", "--events", "boot", "--features", "steal_time", "--vcpus", "1"]
    assert main([*asked, "--reply-to", str(review), "--quote", "1"]) == 0
    told = capsys.readouterr()
    assert "is no address; it is left out of the answer" in told.err
    assert "bob@" not in told.out


def test_what_is_saved_is_what_the_command_writes(review, tmp_path):
    about, events, features = ["trace F02:migrate"], ["migrate"], ["steal_time"]
    made = post(about, ["generic"], events, features, 1)
    asked = ["post", "--about", *about, "--protocols", "generic", "--events", *events, "--features", *features]
    for more, how in (([], {}), (["--reply-to", str(review), "--quote", "2"], {"reply_to": review, "quotes": ["2"]}),
                      (["--subject", "x", "--attach", "trace"], {"subject": "x", "attach": ["trace"]})):  # fmt: skip
        assert main([*asked, "--vcpus", "1", *more, "-o", str(tmp_path / "command")]) == 0
        save(made, tmp_path / "saved", **how)
        assert (tmp_path / "saved").read_bytes() == (tmp_path / "command").read_bytes()


def test_a_subject_is_one_line(capsys):
    for subject, said in (("a\nBcc: x@y", "a subject is one line"), ("", "--subject is empty")):
        asked = ["post", "--about", "exits", "--events", "boot", "--features", "steal_time", "--vcpus", "1"]
        assert main([*asked, "--subject", subject]) == 2
        told = capsys.readouterr()
        assert (said in told.err, told.out) == (True, "")


# -- the answer to the review, as it is in data/posts -------------------------------------------------------


def test_the_golden_answer_is_plain_and_no_mail_program_reflows_it():
    """RFC 3676: format=fixed is shown as it stands. What takes it for flowed joins no lines either; it takes at most
    the one space that it believes to be put before a line.
    """
    text = GOLDEN.read_text("ascii")
    sent = parsed(text)
    body = sent.get_content()
    assert is_plain(body)
    assert sent["Content-Type"].params["format"] == "fixed"
    assert not re.search("^From ", body, re.MULTILINE)
    reflowed = received.unflowed(body)
    assert [line.removeprefix(" ") if line[:1] == " " else line for line in body.splitlines()] == reflowed.splitlines()
    assert received.unflowed(reflowed.replace("\n", " \n")).count("\n") < body.count("\n"), "it can join lines"


def test_the_golden_answer_holds_the_golden_post():
    """Both are made by slow tests; here it is seen that one was not forgotten."""
    post_text = (DATA / "posts" / "review-2011.txt").read_text()
    assert is_plain(post_text)
    assert re.findall(r"^\d\. (.*)\n-", post_text, re.MULTILINE) == [
        "Live migration", "Normal hardware", "One register for each feature", "Can it be repaired?",
        "Is the model like the machine?",
    ]  # fmt: skip
    assert post_text.index("\n\n") == post_text.index("> it doesn't") - 2 == len("\n".join(post_text.split("\n")[:5]))
    words = " ".join(post_text.split())
    answer = parsed(GOLDEN.read_text()).get_content()
    blocks = [block for block in answer.split("\n\n") if not block.startswith((">", "On Wed"))]
    assert len(blocks) > 20
    assert [block for block in blocks if " ".join(block.split()) not in words] == []
    assert [line for line in answer.splitlines() if line.startswith("> ")] == [
        "> - it doesn't lend itself will to live migration.  Extra state must be",
        ">   maintained in the hypervisor.",
        "> - it isn't how normal hardware operates",
        "> what's wrong with extending the normal approach of one msr per",
        "> feature?",
    ]


def test_git_reads_the_golden_answer(tmp_path):
    if not shutil.which("git"):
        pytest.skip("git is not installed (apt-get install git)")
    text = GOLDEN.read_text()
    said = subprocess.run(["git", "mailinfo", "msg", "patch"], input=text, text=True, capture_output=True,
                          cwd=tmp_path, check=True).stdout  # fmt: skip
    assert "Subject: KVM-HDR: register KVM basic header infrastructure\n" in said
    assert (tmp_path / "msg").read_text() == parsed(text).get_content().rstrip("\n") + "\n"
    assert (tmp_path / "patch").read_bytes() == b""


def test_git_sends_the_golden_answer_unchanged(tmp_path):
    """A program in place of a mail server keeps what it is given."""
    alone = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "HOME": str(tmp_path)}
    alone |= {f"GIT_{who}_{what}": "me@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    server, simple = tmp_path / "server", tmp_path / "simple"
    server.write_text('#!/bin/sh\necho "$@" > "${0%/*}/who"\ncat > "${0%/*}/sent"\n')
    server.chmod(0o755)
    simple.write_text("Subject: x\nTo: a@example.org\n\nx\n")
    command = ["git", "send-email", "--from", "me@example.org", "--confirm", "never", f"--sendmail-cmd={server}"]
    if not shutil.which("git") or subprocess.run(
        [*command, "--dry-run", simple], env=alone, capture_output=True, cwd=tmp_path, check=False
    ).returncode:
        pytest.skip("git send-email is not installed (apt-get install git-email)")
    subprocess.run([*command, "--dry-run", GOLDEN], env=alone, capture_output=True, cwd=tmp_path, check=True)
    assert not (tmp_path / "sent").exists()
    subprocess.run([*command, GOLDEN], env=alone, capture_output=True, cwd=tmp_path, check=True)
    sent = message_from_string((tmp_path / "sent").read_text(), policy=policy.default)
    ours = parsed(GOLDEN.read_text())
    assert sent.get_content() == ours.get_content()
    for name in ("Subject", "In-Reply-To", "References", "To", "Content-Type"):  # git says 8bit for any text
        assert str(sent[name]) == str(ours[name]), name
    assert {one.addr_spec for one in ours["Cc"].addresses} <= {one.addr_spec for one in sent["Cc"].addresses}
    assert "avi@example.org" in (tmp_path / "who").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["review-2011.txt", "review-2011.mbox"])
def test_the_answer_to_the_review_is_that_of_the_data(name, capsys):
    """After a change on purpose: the commands of docs/posts.md write both files anew."""
    quotes = [word for text in ("live migration", "hardware", "one msr per feature") for word in ("--quote", text)]
    more = ["--reply-to", str(EXAMPLE), *quotes] if name.endswith("mbox") else []
    assert main(["post", "--about", "review-2011", *more]) == 0
    assert capsys.readouterr().out == (DATA / "posts" / name).read_text()
