"""The mail that is answered, whatever it holds: taken apart as it should be, or refused in one line."""

import gzip
import random
from pathlib import Path

import pytest

from tests.present.mails import REVIEW, is_plain, parsed, read
from workbench.cli import main
from workbench.errors import WorkbenchError
from workbench.paths import DATA
from workbench.present.post import mail, post, save
from workbench.present.post.lines import quoted

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "review-2011.eml"
GOLDEN = DATA / "posts" / "review-2011.mbox"


@pytest.fixture
def review(tmp_path):
    path = tmp_path / "review.eml"
    path.write_text(REVIEW)
    return path


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
