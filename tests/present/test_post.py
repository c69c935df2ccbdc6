"""Posts: what a maintainer reads in a terminal mail program, and the mail that git sends."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rules.designs import slip
from workbench.cli import main
from workbench.errors import WorkbenchError
from workbench.measure.exploration.matrix import Size
from workbench.measure.on_kvm.measured_file import all_measured_files
from workbench.paths import DATA
from workbench.present.post import post
from workbench.present.post.chart import bars
from workbench.present.post.section import Check, check_lines, summary_line

SIZES = (Size(1, ("steal_time",)),)


@pytest.fixture(scope="module")
def made():
    about = ("exits", "state", "failures", "trace", "trace F02:migrate:generic", "verdict")
    return post(about, events=("boot", "migrate"), features=["steal_time", "watchdog"], vcpus=4, sizes=SIZES)


@pytest.fixture
def review(tmp_path):
    path = tmp_path / "review.eml"
    path.write_text("From: a <a@example.org>\nMessage-ID: <1@example.org>\nSubject: x\n\nhello\n")
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


def test_repairs_stand_beside_the_designs_as_they_are():
    made = post(["repairs"], ["generic", "null"], ["migrate"], ["steal_time"], 1, sizes=SIZES)
    repaired = post(["state"], ["generic+carry-registry"], ["migrate"], ["steal_time"], 1, sizes=SIZES)
    failing = {cell.property for cell in made.asked.cells if (cell.verdict, str(cell.label())) == ("FAILS", "generic")}
    rows = [line.split() for line in made.text().splitlines() if re.match(r"(generic|  with \d+ repairs)  +\d", line)]
    assert (len(failing), len(rows)) == (int(rows[0][1]), 2)
    assert failing
    (carried,) = {row.value for row in repaired.asked.table.itertuples() if row.metric == "state_carried_bytes"}
    assert (rows[0][-2], rows[1][-2]) == ("0", str(carried))
    assert made.claim() == f"generic {' '.join(rows[1][:3])}: {rows[1][7]} exits, 1 new interface, 0 properties fail.\n"
    with pytest.raises(WorkbenchError, match="these designs have no mitigations"):
        post(["repairs"], ["null"], ["boot"], ["steal_time"], 1, sizes=SIZES)


def test_what_was_measured_stands_beside_what_was_simulated():
    made = post(["measured"], ["generic", "per_feature"], ["boot", "migrate"], ["steal_time"], 1)
    recorded = {(one.protocol, one.event): one.fate for found in all_measured_files() for one in found.events}
    text = made.text()
    for event in ("boot", "migrate"):
        (line,) = re.findall(rf"^{event} .*", text, re.MULTILINE)
        assert line.split()[2::2] == [recorded[name, event] for name in ("generic", "per_feature")]
    for found in all_measured_files():
        assert found.host["kernel"] in text
        assert found.made["date"] in text
    third = Path(__file__).parents[1] / "protocols" / "data" / "third.py"
    with pytest.raises(WorkbenchError, match="no real KVM was measured with these designs"):
        post(["measured"], [f"{third}:RegisterArray"], ["boot"], ["steal_time"], 1)


def test_a_verdict_that_does_not_fit_has_a_second_line():
    where = "double-registration-crossing, 21 steps; 1 more"
    checks = [Check("FAIL", "per_feature: old-area-live", where), Check("SKIP", "x: y", "not exercised")]
    assert check_lines(checks) == [
        "FAIL: per_feature: old-area-live", f"INFO: {where}", "SKIP: x: y (not exercised)",
    ]  # fmt: skip
    (line,) = check_lines([Check("PASS", f"{'a' * 64}: old-area-live")])
    assert (len(line), line.endswith("a...: old-area-live")) == (72, True)


def test_a_long_name_breaks_no_line(tmp_path):
    name = "a" * 40 + "_" + "b" * 23
    path = tmp_path / "mine.py"
    repairs = f'mitigations_known = {{"{"m" * 60}": "{"word " * 30}"}}'
    path.write_text(slip(('name = "mine"', f'name = "{name}"\n    {repairs}')))
    about = ["exits", "state", "failures", "hardware", "repairs", "verdict"]
    made = post(about, [f"{path}:Mine"], ["migrate"], ["steal_time"], 1, sizes=SIZES)
    assert [line for line in made.text().splitlines() if len(line) > 72 and str(path) not in line] == []


def test_a_bar_is_as_long_as_its_number():
    lines = bars([("a", 100), ("b" * 40, 50), ("none", 0), ("few", 1)], "exits").splitlines()
    marks = [line.count("#") for line in lines]
    assert marks[0] == 2 * marks[1] or marks[0] == 2 * marks[1] - 1
    assert marks[2:] == [0, 1]
    assert max(map(len, lines)) <= 72


def test_a_trace_that_goes_with_the_mail_replays(made, tmp_path):
    (first, *_) = made.attachments()
    (tmp_path / first.name).write_bytes(first.content)
    run = subprocess.run([sys.executable, first.name], check=False, capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stderr


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


def test_a_design_of_ones_own_is_named_by_its_path(tmp_path):
    third = Path(__file__).parents[1] / "protocols" / "data" / "third.py"
    made = post(["exits", "failures"], [f"{third}:RegisterArray"], ["boot"], ["steal_time"], 2, sizes=SIZES)
    assert f"--protocols {third}:RegisterArray" in made.text().replace(" \\\n    ", " ")


def test_a_design_of_another_abi_is_asked_about_its_own_features():
    made = post(["exits", "failures"], ["generic", "papr_vpa"], ["boot"], vcpus=2)
    text = " ".join(made.text().replace("\\\n", "").split())
    assert "1 vCPU: wall_clock + steal_time and 2 vCPUs: steal_time and 1 vCPU: vpa + dtl and 2 vCPUs: vpa." in text
    assert "$ workbench matrix --protocols papr_vpa --events boot --vcpus 1 --features vpa,dtl" in text
    assert "features of papr_vpa: vpa, dtl, slb_shadow events:" in text
    assert list(dict.fromkeys(str(cell.label()) for cell in made.asked.cells)) == ["generic", "papr_vpa"]
    verdicts = {cell.property: cell.verdict for cell in made.asked.cells if str(cell.label()) == "papr_vpa"}
    assert verdicts["S01"] == "HOLDS", "its areas are registered"
    narrow = post(["failures"], ["generic"], ["boot"], ["watchdog"], 2)
    assert "with 1 vCPU: watchdog and 2 vCPUs: watchdog." in " ".join(narrow.text().split())


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
