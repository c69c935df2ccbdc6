"""The answer to a mail: what it quotes, whom it goes to, and what Python reads of it."""

import gzip
import os
import re
import shutil
import subprocess
from dataclasses import replace
from email import message_from_string, policy
from pathlib import Path

import pytest

from tests.present.mails import REVIEW, is_plain, parsed
from workbench.cli import main
from workbench.errors import WorkbenchError
from workbench.measure.exploration.matrix import Size
from workbench.paths import DATA
from workbench.present.post import mail, post, received
from workbench.present.post.section import Attachment

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "review-2011.eml"
GOLDEN = DATA / "posts" / "review-2011.mbox"


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
