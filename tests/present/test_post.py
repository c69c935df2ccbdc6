"""Posts: what a maintainer reads in a terminal mail program, and the mail that git sends."""

import gzip
import shutil
import subprocess
import sys
from email import message_from_string, policy
from pathlib import Path

import pytest

from tests.rules.designs import slip
from workbench.cli import main
from workbench.errors import WorkbenchError
from workbench.measure.exploration.matrix import Size
from workbench.paths import DATA
from workbench.present.post import mail, post
from workbench.present.post.chart import bars
from workbench.present.post.section import Check, summary_line

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

What's wrong with one MSR per feature?
"""
SIZES = (Size(1, ("steal_time",)),)


@pytest.fixture(scope="module")
def made():
    about = ("exits", "state", "failures", "trace", "trace F02:migrate:generic", "verdict")
    return post(about, events=("boot", "migrate"), features=["steal_time", "watchdog"], vcpus=4, sizes=SIZES)


@pytest.fixture
def review(tmp_path):
    path = tmp_path / "review.eml"
    path.write_text(REVIEW)
    return path


def is_plain(text):
    return text.isascii() and all(len(line) <= 72 and line == line.rstrip() for line in text.splitlines())


def test_a_post_is_72_columns_of_ascii_and_begins_with_its_claim(made):
    text = made.text()
    assert is_plain(text)
    claim = text.partition("\n\n")[0]
    assert claim.count("\n") < 5
    assert claim.startswith("Exits in boot, 4 vCPUs: generic 5, per_feature 4.")
    assert str(made) == text == made._repr_mimebundle_()["text/plain"]


def test_its_numbers_are_those_of_the_measurements(made):
    value = {(r.protocol, r.event, r.metric): r.value for r in made.asked.table.itertuples()}
    text = made.text()
    for one in ("generic", "per_feature"):
        assert f"{one} {value[one, 'boot', 'exits']}" in text
        assert f"{value[one, 'boot', 'state_bytes']} bytes" in text
    lost = next(cell for cell in made.asked.cells if (cell.verdict, cell.property) == ("FAILS", "F02"))
    assert f"FAIL: generic: lost-registration (migrate, {lost.steps} steps)" in text


def test_every_property_of_every_design_has_a_verdict_line(made):
    (lines,) = [section for section in made.sections if section.title == "Verdicts"]
    assert len(lines.checks) == len({(str(cell.label()), cell.property) for cell in made.asked.cells})
    failing = sum(check.status == "FAIL" for check in lines.checks)
    skipped = sum(check.status == "SKIP" for check in lines.checks)
    assert f"SUMMARY: {len(lines.checks)} tests, {failing} unexpected failures, {skipped} skipped\n" in made.text()
    assert 0 < failing < len(lines.checks) - skipped


def test_what_is_known_to_fail_is_expected():
    known = post(["verdict"], ["generic"], ["migrate"], ["steal_time"], 1, sizes=SIZES, known=["F02", "F01"])
    (section,) = known.sections
    status = {check.what.split()[1]: check.status for check in section.checks}
    assert status["lost-registration"] == "XFAIL"
    assert status["stray-write"] in ("XPASS", "SKIP")


def test_the_summary_counts_as_kvm_unit_tests_does():
    checks = [Check(status, "x") for status in ("PASS", "FAIL", "FAIL", "XPASS", "XFAIL", "SKIP")]
    assert summary_line(checks) == "SUMMARY: 6 tests, 3 unexpected failures, 1 expected failures, 1 skipped"
    assert summary_line(checks[:1]) == "SUMMARY: 1 tests"


def test_a_bar_is_as_long_as_its_number():
    lines = bars([("a", 100), ("b" * 40, 50), ("none", 0), ("few", 1)], "exits").splitlines()
    marks = [line.count("#") for line in lines]
    assert marks[0] == 2 * marks[1] or marks[0] == 2 * marks[1] - 1
    assert marks[2:] == [0, 1]
    assert max(map(len, lines)) <= 72


# -- mail ---------------------------------------------------------------------------------------------------


def test_an_answer_quotes_each_paragraph_above_the_part_that_answers_it(made, review):
    answered = mail.read_mail(review)
    text = mail.reply(made, answered, ["one MSR per feature", "3"])
    assert is_plain(text)
    first, second = text.index("> What's wrong with one MSR per feature?"), text.index("> From what I see")
    assert first < text.index("1. Exits") < second < text.index("2. State")
    assert "On Wed, 26 Jan 2011 13:06:54 +0200, Ann \\xc9mile wrote:" in text


def test_an_mbox_is_read_by_git_and_by_python(made, review, tmp_path):
    answered = mail.read_mail(review)
    text = mail.mbox(mail.reply(made, answered, ["1"]), answered)
    sent = message_from_string(text.partition("\n")[2], policy=policy.default)
    assert sent["Subject"] == "Re: [PATCH 01/16] register"
    assert (sent["In-Reply-To"], sent["References"]) == ("<1@example.org>", "<0@example.org> <1@example.org>")
    assert "ann@example.org" in sent["To"]
    assert [one.addr_spec for one in sent["Cc"].addresses] == [
        "glauber@example.org", "kvm@example.org", "bob@example.org"
    ]  # fmt: skip
    assert sent["Content-Type"] == 'text/plain; charset="us-ascii"'
    assert sent.get_content() == mail.reply(made, answered, ["1"])
    if shutil.which("git"):
        said = subprocess.run(["git", "mailinfo", "msg", "patch"], input=text, text=True, capture_output=True,
                              cwd=tmp_path, check=True).stdout  # fmt: skip
        assert "Subject: register" in said
        assert "1. Exits" in (tmp_path / "msg").read_text()


def test_attachments_are_of_kinds_that_lists_accept(made):
    files = mail.attached(made, ["trace", "csv", "page"])
    text = mail.mbox(made.text(), None, "Numbers", files)
    parts = list(message_from_string(text.partition("\n")[2], policy=policy.default).iter_attachments())
    kinds = [(part.get_filename(), part.get_content_type()) for part in parts]
    assert kinds == [
        ("generic-migrate-lost-registration.py", "text/plain"),
        ("comparison.csv", "text/plain"),
        ("failures.html.gz", "application/gzip"),
    ]
    assert parts[1].get_content().startswith("protocol,")
    assert gzip.decompress(parts[2].get_content()).startswith(b"<!doctype html>")
    assert text.isascii()


def test_a_trace_that_goes_with_the_mail_replays(made, tmp_path):
    (first, *_) = made.attachments()
    (tmp_path / first.name).write_bytes(first.content)
    run = subprocess.run([sys.executable, first.name], check=False, capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stderr


def test_a_reply_keeps_its_subject_and_a_patch_gets_re(review):
    answered = mail.read_mail(review)
    assert "Subject: Re: [PATCH 01/16] register\n" in mail.mbox("x\n", answered)
    review.write_text(REVIEW.replace("Subject: Re: ", "Subject: "))
    assert "Subject: Re: [PATCH 01/16] register\n" in mail.mbox("x\n", mail.read_mail(review))


def test_one_mail_of_an_mbox_is_named(tmp_path):
    other = REVIEW.replace("<1@example.org>", "<2@example.org>").replace("register", "other")
    path = tmp_path / "thread.mbox"
    path.write_text(f"From a Mon Jan 1\n{REVIEW}\nFrom b Mon Jan 1\n{other}")
    with pytest.raises(WorkbenchError, match=r"holds 2 mails; name one .* <1@example\.org>, <2@example\.org>"):
        mail.read_mail(path)
    assert mail.read_mail(path, "2@example.org").subject.endswith("other")
    with pytest.raises(WorkbenchError, match="no mail with the Message-ID '3'"):
        mail.read_mail(path, "3")


def test_the_answer_to_the_review_needs_the_review(review):
    answer = post(["review-2011"], vcpus=1, features=["steal_time", "watchdog"], sizes=SIZES)
    assert [section.title for section in answer.sections] == [
        "Live migration", "Normal hardware", "One register for each feature"
    ]  # fmt: skip
    assert is_plain(answer.text())
    assert len(answer.claim().splitlines()) == 3
    with pytest.raises(WorkbenchError, match="the mail does not say"):
        mail.reply(answer, mail.read_mail(review))
    said = "\n\n".join(section.quote for section in answer.sections)
    review.write_text(REVIEW + "\n" + said)
    assert mail.reply(answer, mail.read_mail(review)).count("\n> ") >= 3


@pytest.mark.slow
def test_the_answer_to_the_review_is_that_of_the_data(capsys):
    """After a change on purpose: workbench post --about review-2011 -o data/posts/review-2011.txt."""
    assert main(["post", "--about", "review-2011"]) == 0
    assert capsys.readouterr().out == (DATA / "posts" / "review-2011.txt").read_text()


# -- the command, and what is refused -----------------------------------------------------------------------


SMALL = ["--events", "migrate", "--features", "steal_time", "--vcpus", "1", "--protocols", "generic", "--jobs", "1"]


def test_the_command_writes_an_answer(review, tmp_path, capsys):
    path = tmp_path / "answer.mbox"
    asked = ["post", "--about", "exits,trace F02:migrate", *SMALL, "--reply-to", str(review), "--quote", "1"]
    assert main([*asked, "-o", str(path)]) == 0
    first = path.read_text()
    assert first.startswith("From 0000")
    assert main([*asked, "-o", str(path)]) == 0
    assert path.read_text() == first


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--about", "exist"], "unknown part 'exist'; did you mean exits?"),
        (["--about", "exits now"], "part 'exits' takes no words; here are 'now'"),
        (["--about", "trace F02"], "trace 'F02': expected FAILURE:EVENT or FAILURE:EVENT:PROTOCOL"),
        (["--about", "trace F02:noon"], "unknown event 'noon'"),
        (["--about", "trace F99:migrate"], "unknown property 'F99'"),
        (["--about", "trace F02:migrate:null"], "the post is not about 'null'"),
        (["--about", "trace F01:migrate"], "stray write has no trace, because its verdict is"),
        (["--about", "review-2011"], "the post is not about per_feature, boot,"),
        (["--quote", "1"], "--quote is about the mail that --reply-to FILE names"),
        (["--attach", "csv"], "--attach makes a mail"),
        (["--attach", "html", "--subject", "x"], "unknown attachment 'html'"),
        (["--known", "F99"], "unknown property 'F99'"),
        (["--reply-to", "nowhere"], "mail 'nowhere' cannot be read: No such file"),
    ],
)
def test_bad_requests_are_one_line(arguments, said, capsys, tmp_path):
    path = tmp_path / "kept"
    path.write_text("before")
    assert main(["post", *SMALL, *arguments, "-o", str(path)]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert "Traceback" not in told.err
    assert path.read_text() == "before"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no mail: it has no header From"),
        (b"once upon a time\n\nFrom here", "is no mail: it has no header From"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is no mail: it has no header From"),
        (b"From: a@b\nSubject: x\n\nhello\n", "has no header Message-ID"),
        (b"From: a@b\nMessage-ID: <1>\nContent-Type: text/html\n\n<p>\n", "has no text/plain part"),
        (b"From: a@b\nMessage-ID: <1>\nContent-Type: text/plain; charset=klingon\n\nx\n", "cannot be decoded"),
        (REVIEW.encode(), "--quote 99 names none of them"),
    ],
    ids=["empty", "prose", "png", "no id", "html", "charset", "paragraph"],
)
def test_what_is_no_mail_is_refused(content, said, tmp_path, capsys):
    path = tmp_path / "mail"
    path.write_bytes(content)
    assert main(["post", *SMALL, "--about", "exits", "--reply-to", str(path), "--quote", "99"]) == 2
    told = capsys.readouterr()
    assert (said in told.err, told.out) == (True, ""), told.err


def test_hostile_headers_stay_in_their_headers(made, review):
    review.write_text(REVIEW.replace("Subject: Re: [PATCH 01/16] register", "Subject: =?utf-8?q?a=0ABcc:_x=40y?="))
    sent = message_from_string(mail.mbox("x\n", mail.read_mail(review)).partition("\n")[2], policy=policy.default)
    assert sent["Bcc"] is None


def test_a_design_of_ones_own_is_named_by_its_path(tmp_path):
    third = Path(__file__).parents[1] / "protocols" / "data" / "third.py"
    made = post(["exits", "failures"], [f"{third}:RegisterArray"], ["boot"], ["steal_time"], 2, sizes=SIZES)
    assert f"--protocols {third}:RegisterArray" in made.text().replace(" \\\n    ", " ")


def test_a_program_that_fails_is_no_pass(tmp_path, capsys):
    """Nor is it skipped: the post says that its search broke off, and the status tells it."""
    path = tmp_path / "mine.py"
    path.write_text(slip(("        return HANDLED", "        raise KeyError(msr)")))
    asked = ["post", "--about", "verdict", "--protocols", f"{path}:Mine", "--events", "boot"]
    assert main([*asked, "--features", "steal_time", "--jobs", "1"]) == 1
    told = capsys.readouterr().out
    assert "broke off the search" in told
    assert "PASS: mine: registers" not in told


def test_the_docs_show_the_answer_to_the_review_in_full():
    shown = (Path(__file__).parents[2] / "docs" / "posts.md").read_text()
    assert f"```text\n{(DATA / 'posts' / 'review-2011.txt').read_text()}```\n" in shown
