"""Version skew: laws that hold for every design, a golden table, a trace behind each loss, evidence that runs."""

import json
import re
import shlex
from functools import cache

import pytest

from tests.measure import golden_skew
from tests.rules.designs import slip
from workbench.cli import main
from workbench.features import choose, choose_one
from workbench.measure.skew.combinations import ALL, PARTS, Combination, read
from workbench.measure.skew.run import LOST, MEANING, NOTHING, REFUSED, SEVERITY, UNUSED, WORKS, WORSE, run
from workbench.measure.skew.table import BAD, cells, rows
from workbench.measure.variants import features_of, variant, variants
from workbench.present.text.skew import skew_text, trace_text
from workbench.protocols import PROTOCOLS

SHAPES = golden_skew.TESTS / "protocols" / "shapes"
BY_PATH = ("call_in_registers", "doorbell_batch", "host_chosen")
OWN = (golden_skew.THIRD, *(str(SHAPES / f"{name}.py") for name in BY_PATH))
MEANING_IN_ORDER = (WORKS, UNUSED, REFUSED, LOST, WORSE, NOTHING, "broke off")
GUESTS = {name: one for name, one in ALL.items() if isinstance(one, Combination)}


@cache
def table():
    return tuple(golden_skew.found())


def verdicts(design, what, features=None):
    chosen = variant(design)
    return {run(chosen, one, ALL.get(what) or read(what)).verdict for one in features_of(chosen, features)}


@pytest.mark.parametrize("design", [*PROTOCOLS, *OWN], ids=lambda name: name.rpartition("/")[2])
def test_laws_of_every_design(design):
    """Where all are new the design works, where the guest is old nothing happens, and less knowledge never helps."""
    works = REFUSED if design == "null" else WORKS
    assert verdicts(design, "new/new/new") <= {works, NOTHING}
    if design != "grow_area":  # its features are parts of one area, which the host writes as a whole
        assert verdicts(design, "short/short") <= {works, NOTHING} >= verdicts(design, "short/short:i386")
    some = features_of(variant(design))[::4]
    for name, one in GUESTS.items():
        found = verdicts(design, name, some)
        assert found <= set(SEVERITY[:-1]), name  # nothing breaks off
        if one.guest == "old":
            assert found <= {UNUSED, NOTHING}, name
        if one.guest == "new" and one.host.vmm == "old" and not one.offer:
            assert found <= {UNUSED, NOTHING}, name  # it is not offered, so it is not asked for


def test_the_golden_table_is_as_reviewed():
    assert golden_skew.as_golden(table()) == golden_skew.GOLDEN.read_text(), "python -m tests.measure.golden_skew"


def test_every_loss_has_a_trace_that_shows_it():
    bad = [row for row in table() if row.verdict in BAD]
    assert len(bad) > 200
    assert {row.verdict for row in bad} == {LOST, WORSE}
    designs = {one.label: one for one in variants(golden_skew.DESIGNS)}
    for row in {(row.protocol, row.why, row.combination): row for row in bad}.values():
        text = trace_text(run(designs[row.protocol], choose_one(row.feature), ALL[row.combination]))
        assert row.seen in " ".join(text.split()), row
        assert "\n  1   " in text, row
        assert text.isascii()
        assert max(map(len, text.splitlines())) <= 72


def test_every_word_is_explained_and_the_text_fits_into_a_mail():
    text = skew_text(table())
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 72
    assert {row.verdict for row in table()} <= set(MEANING) == set(MEANING_IN_ORDER)
    for _, several in PARTS.values():
        assert len(set(map(str, several))) == len(several)
    for name, one in ALL.items():
        assert read(name) == one, name
        assert name in text or name.startswith("old/"), name


def test_each_evidence_command_shows_its_verdict(capsys):
    sample = {(row.protocol, row.verdict, row.why): row for row in table()}
    assert len(sample) > 20
    for row in sample.values():
        words = shlex.split(row.command)
        assert words[:2] == ["workbench", "skew"]
        words = [golden_skew.THIRD if word == "register_array" else word for word in words[1:]]
        assert main(words) == 0, row.command
        shown = capsys.readouterr().out
        assert shown.startswith(f"{row.protocol}, {row.feature}, {row.combination}: {row.verdict}\n")


@pytest.mark.parametrize(("design", "mended", "what", "feature", "before", "after"), [
    ("generic", "generic+carry-registry", "new/new/new+new/new", "steal_time", LOST, WORKS),
    ("generic", "generic+carry-registry", "new/new/new+new/old", "steal_time", LOST, REFUSED),
    ("generic", "generic+pending-result", "blind/ignore/new", "steal_time", LOST, REFUSED),
    ("generic", OWN[1], "new/type/new", "steal_time", LOST, REFUSED),
    ("per_feature", "generic", "short/long", "steal_time", WORSE, REFUSED),
    ("generic", "generic+revoke-vm", "revoked/new/new", "wall_clock", WORSE, UNUSED),
])  # fmt: skip
def test_the_verdict_changes_with_the_design(design, mended, what, feature, before, after):
    assert verdicts(design, what, [feature]) == {before}
    assert verdicts(mended, what, [feature]) == {after}


@pytest.mark.parametrize(("change", "what", "before", "after"), [
    (("return REFUSED if outcome is FAULT else ACCEPTED", "return ACCEPTED"), "blind/old/new", REFUSED, LOST),
    (("yield Set(register(cpu.index, MSR), value or None)", 'yield ToUser("a call")'), "blind/new/old", WORKS, WORSE),
    (("gpa if value & 1 else None", "None"), "new/new/new", WORKS, LOST),
    (("gpa if value & 1 else None", "gpa + 64 if value & 1 else None"), "new/new/new", WORKS, WORSE),
    (("yield Set(register(cpu.index, MSR), value or None)", "raise ValueError(1)"), "new/new/new", WORKS, "broke off"),
])  # fmt: skip
def test_the_verdict_changes_with_a_slip(change, what, before, after, tmp_path):
    for name, changes, expected in (("right", (), before), ("wrong", (change,), after)):
        path = tmp_path / f"{name}.py"
        path.write_text(slip(*changes, (" Rdmsr,", " Rdmsr, ToUser,")))
        assert verdicts(f"{path}:Mine", what, ["steal_time"]) == {expected}


def test_a_field_that_two_abis_place_differently_is_found():
    """In a struct of 4 bytes the next u64 is at 8 on x86-64, and at 4 on i386."""
    ran = run(variant("per_feature"), choose_one("pv_eoi"), ALL["long/long:i386"])
    assert (ran.verdict, ran.judged.why) == (WORSE, "writes behind the area")
    assert ran.judged.seen == "the host writes 4 bytes behind the 12 that the guest gave for pv_eoi of vCPU 0"
    assert verdicts("per_feature", "long/long", ["pv_eoi"]) == {WORKS}


def test_a_repair_that_needs_a_new_kernel_is_none_when_an_old_one_follows():
    """With ``revoke-all``, the next kernel revokes first: an old one does not."""
    for design in ("generic", "generic+revoke-all"):
        assert verdicts(design, "crashed/new/new", ["steal_time"]) == {WORSE}
        assert verdicts(design, "revoked/new/new", ["steal_time"]) == {UNUSED}
    assert run(variant("generic"), choose_one("steal_time"), ALL["crashed/new/new"]).judged.why == "stray write"


def test_a_feature_that_needs_another_is_tried_with_it():
    """PAPR's dispatch trace log is refused without the VPA; whose losses are not the log's."""
    assert verdicts("papr_vpa", "new/new/new") == {WORKS}
    ran = run(variant("papr_vpa"), choose_one("dtl"), ALL["new/new/new+old/new"])
    assert ran.verdict == LOST
    assert ran.judged.seen.startswith("the guest believes dtl of vCPU 0 registered at ")


def test_a_host_that_has_its_types_built_in_cannot_lack_one():
    ran = run(variant("papr_vpa"), choose_one("vpa"), ALL["new/type/new"])
    assert (ran.verdict, ran.judged.seen) == (
        NOTHING, "the design's host side has its types built in: none lacks this one")  # fmt: skip


def test_a_cell_counts_features():
    found = cells(rows(variants(["generic"]), choose(), ["boot"]))
    assert found["boot", "new/type/new", "generic"].text == "lost 6, works 2"
    assert found["boot", "new/type/new", "generic"].short == "lost 6/8"
    assert found["boot", "new/new/new", "generic"].text == WORKS


def test_the_page_about_it_tells_every_verdict_and_its_commands_run(capsys):
    page = (golden_skew.TESTS.parent / "docs" / "version-skew.md").read_text()
    assert re.findall(r"^\| ([\w/ ]+) \| [^-]", page, re.MULTILINE) == ["verdict", *MEANING_IN_ORDER]
    commands = [line for line in re.findall(r"^\$ workbench (skew .*)$", page, re.MULTILINE) if "path/to" not in line]
    assert len(commands) == 2
    for command in commands:
        assert main(shlex.split(command)) == 0
        assert "lost" in capsys.readouterr().out


def test_records_and_the_same_bytes_again(capsys):
    line = ["skew", "--protocols", "null,generic", "--features", "kvmclock", "--about", "move,boot", "--vcpus", "2"]
    told = []
    for form in ("json", "csv", "text", "json"):
        run.cache_clear()
        assert main([*line, "--format", form]) == 0
        told.append(capsys.readouterr().out)
    records = json.loads(told[0])
    assert told[0] == told[3]
    assert [one["part"] for one in records if one["protocol"] == "null"] == ["boot"] * 24 + ["move"] * 11
    assert told[1].splitlines()[0] == ",".join(records[0])
    assert records[0]["command"].endswith("--trace old/old/old --vcpus 2")
    assert main([*line[:5], "--trace", "new/new/new", "--format", "json"]) == 0
    assert [one["verdict"] for one in json.loads(capsys.readouterr().out)] == [REFUSED, WORKS]


@pytest.mark.parametrize(("text", "told"), [
    ("new/new", "names no combination"), ("new/new/new/new", "names no combination"), ("", "names no combination"),
    ("neu/new/new", "a guest is not 'neu'; did you mean new?"), ("new/typ/new", "did you mean type?"),
    ("new/new/blind", "a VMM is not 'blind'"), ("new/new/new+old", "behind + is the host"),
    ("new/new/new+old/older", "a VMM is not 'older'"), ("new/new/new:enforce", "names no combination"),
    ("new/new/new:hidden:claimed", "names no combination"), ("short/longer", "names no combination"),
])  # fmt: skip
def test_what_is_no_combination_is_told_in_one_line(text, told, capsys):
    assert main(["skew", "--trace", text]) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_combination_that_is_in_no_part_can_be_asked_for():
    assert verdicts("generic", "blind/ignore/old:enforced+new/new", ["steal_time"]) == {LOST}
