"""``workbench page``: one file for each kind, the same bytes each time, and one line for what cannot be shown."""

import re
import shlex

import pytest

from workbench.cli import main

TRACE = ["page", "trace", "generic", "--events", "migrate"]


def said(capsys, *arguments):
    status = main([*arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


PAGES = [
        ("trace", "generic", "--events", "migrate", "--property", "F02"),
        ("trace", "generic", "per_feature", "--events", "kexec"),
        ("trace", "per_feature+quiet-restore", "--events", "init+migrate", "--features", "wall_clock"),
        ("trace", "tests/protocols/data/third.py:RegisterArray"),
        ("matrix", "--protocols", "generic", "--events", "migrate", "--features", "steal_time", "--jobs", "1"),
        ("matrix", "--protocols", "generic", "--events", "migrate", "--features", "steal_time", "--jobs", "1",
         "--mitigations", "carry-registry,copy-once"),
        ("compare", "--events", "boot", "--features", "steal_time"),
        ("replay", "tests/replay/library/steal-time.jsonl"),
        ("operation", "generic+copy-once", "--feature", "steal_time", "--what", "update"),
        ("registers", "--no-irqchip"),
        ("measured",),
        ("slides",),
        ("skew", "--protocols", "generic,tests/protocols/data/third.py:RegisterArray", "--features", "steal_time",
         "--about", "move"),
        ("verdict", "null", "tests/protocols/data/third.py:RegisterArray", "--features", "pv_eoi", "--events", "boot",
         "--no-repairs", "--jobs", "1"),
        ("registers", "--write", "STEAL_TIME=0x1001,STEAL_TIME=0", "--enforce-cpuid", "--cpuid-bits", "3,5"),
]  # fmt: skip


@pytest.mark.parametrize("arguments", PAGES)
def test_pages(tmp_path, capsys, arguments):
    files = [tmp_path / name for name in ("one.html", "two.html")]
    for file in files:
        assert said(capsys, "page", *arguments, "-o", str(file))[:2] == (0, "")
    one, two = (file.read_bytes() for file in files)
    assert one == two
    assert one.startswith(b"<!doctype html>")
    for outside in (b"http://", b"https://", b"src=", b"@import", b"url("):
        assert outside not in one.replace(b"http://www.w3.org/2000/svg", b"").replace(b"url(#", b"")


#: Two designs side by side are copied one by one; the comparison makes its command line of its present settings.
KNOWS_ITS_LINE = [one for one in PAGES if "per_feature" not in one and one[0] not in ("compare", "slides")]


@pytest.mark.parametrize("arguments", KNOWS_ITS_LINE)
def test_the_command_line_in_a_page_writes_it_again(tmp_path, capsys, arguments):
    first, second = tmp_path / "first.html", tmp_path / "second.html"
    assert said(capsys, "page", *arguments, "-o", str(first))[0] == 0
    (named, *_) = re.findall(r'"command": ?"workbench (page [^"]*) -o [a-z-]+\.html"', first.read_text())
    assert said(capsys, *shlex.split(named), "-o", str(second))[0] == 0
    assert second.read_bytes() == first.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*TRACE, "--property", "F05"), "double fetch (F05) does not occur: generic under migrate"),
        ((*TRACE, "--property", "lost"), "unknown property 'lost'"),
        (("page", "trace", "generic", "null", "per_feature"), "side by side are two designs; here are 3"),
        (("page", "trace", "generic", "--events", "boot,kexec"), "a trace is of one event"),
        (("page", "trace", "generic", "--events", "all"), "a trace is of one event"),
        (("page", "trace", "generic", "--events", "cpu-hotplug", "--vcpus", "1"), "needs at least 2 vCPUs"),
        (("page", "trace", "genric"), "did you mean generic?"),
        (("page", "matrix", "--mitigations", "carry"), "unknown mitigation 'carry'"),
        (("page", "compare", "--vcpus", "5000"), "out of range"),
        (("page", "replay", "nowhere.jsonl"), "nowhere.jsonl"),
        (("page", "replay", "README.md"), "README.md:3: not JSON"),
        (("page", "operation", "generic", "--what", "write"), "unknown operation 'write'"),
        (("page", "registers", "--write", "STEAL=1"), "did you mean STEAL_TIME?"),
        (("page", "registers", "--write", "STEAL_TIME"), "is not REGISTER=VALUE"),
        (("page", "registers", "--write", "STEAL_TIME=x"), "'x' is not a register's value"),
        (("page", "registers", "--write", "STEAL_TIME=1", "--cpuid-bits", "32"), "32 is not a CPUID bit"),
        (("page", "registers", "--enforce-cpuid"), "are for --write"),
        (("page",), "KIND"),
        (("page", "picture"), "trace"),
    ],
)
def test_what_cannot_be_shown_is_one_line(tmp_path, capsys, arguments, words):
    out = tmp_path / "page.html"
    try:
        status = main([*arguments, *(["-o", str(out)] if len(arguments) > 2 else [])])
    except SystemExit as ended:
        status = ended.code
    told = capsys.readouterr().err
    assert status == 2
    assert words in told
    assert "Traceback" not in told
    assert not out.exists()
