"""What a verdict must not do: hold where a search broke off or nothing came up, blame a host that refuses rightly."""

import pytest

from tests.measure.golden_matrix import MUST_HAVE, question
from workbench.checking.failures import FAILURES, choose
from workbench.checking.visible_state import keeps_addresses
from workbench.cli import main
from workbench.core.outcome import FAULT, HANDLED
from workbench.core.steps import GUEST, Set, Store
from workbench.design import ACCEPTED, REFUSED, Backed, Event, Protocol, Wrmsr, area, registry, struct
from workbench.engines.explore import BROKE_OFF, FAILS, HOLDS, NOT_EXERCISED
from workbench.errors import WorkbenchError
from workbench.features import choose as choose_features
from workbench.lifecycle import EVENTS, descriptor_race
from workbench.measure.exploration.ending import ending
from workbench.measure.exploration.explore import Question, confirm, explore_question, explored
from workbench.measure.exploration.matrix import Size, matrix
from workbench.measure.variants import Variant, variants
from workbench.present.text.exploration import Explored, as_text
from workbench.present.text.matrix import matrix_text, summary
from workbench.present.text.trace import diagram, ending_text

ONE = [Size(1, ("steal_time",))]
MSR = 0x4B564DF0


class Registry(Protocol):
    """A design of one register, which keeps (address, size) in a registry and refuses what is not RAM."""

    name = "registry"
    title = "one register, one registry"
    msrs = frozenset({MSR})
    keeps_first = False  #: it keeps an address before it checks it
    unit = 1  #: what it keeps is the address, divided by this
    refuses = False  #: everything

    def register(self, cpu, feature, gpa):
        return REFUSED if (yield Wrmsr(MSR, gpa)) is FAULT else ACCEPTED

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        (feature,) = self.features
        if self.keeps_first:
            yield Set(registry(cpu.index, feature.name), (value // self.unit, feature.size))
        if self.refuses or not (yield Backed(value, feature.size)):
            return FAULT
        yield Set(registry(cpu.index, feature.name), (value // self.unit, feature.size))
        yield Set(area(cpu.index, feature.name), value)
        return HANDLED


class KeepsFirst(Registry):
    keeps_first = True


class KeepsPages(KeepsFirst):
    unit = 4096


class RefusesAll(Registry):
    refuses = True


class Boom(Event):
    name = "boom"
    title = "its program fails"

    def happen(self, scenario):
        yield from EVENTS["boot"].happen(scenario)
        raise KeyError("missing")


def verdicts(kind, event, features="steal_time", **options):
    asked = Question(Variant.of(kind), EVENTS[event], choose_features(features.split(",")))
    return explore_question(asked, **options).result.verdicts


# -- registration state, wherever a design keeps it ----------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "verdict"), [(Registry, HOLDS), (KeepsFirst, FAILS), (KeepsPages, NOT_EXERCISED), (RefusesAll, HOLDS)]
)
def test_what_is_refused_is_looked_for_in_every_registry(kind, verdict):
    """A design that keeps page numbers is told that the property says nothing, which is no praise."""
    assert verdicts(kind, "hostile-bad-base")["F16"] == verdict


@pytest.mark.parametrize(("kind", "visible"), [(Registry, True), (KeepsPages, False), (RefusesAll, True)])
def test_whether_a_design_keeps_addresses_is_tried(kind, visible):
    (feature,) = choose_features(["steal_time"])
    assert keeps_addresses(kind((feature,)), feature) is visible


# -- rightly refused -----------------------------------------------------------------------------------------


def test_a_host_is_blamed_for_refusing_what_every_kernel_asks_for():
    assert verdicts(RefusesAll, "boot")["S01"] == FAILS
    assert verdicts(RefusesAll, "hostile-bad-base")["S01"] == NOT_EXERCISED
    assert verdicts(RefusesAll, "hostile-endless")["S01"] == FAILS  # its guest boots like any other before
    assert verdicts(Registry, "old-host")["S01"] == NOT_EXERCISED
    assert verdicts(Registry, "boot")["S01"] == HOLDS


# -- broken off ------------------------------------------------------------------------------------------------


def test_a_failing_program_breaks_off_its_own_cells_only():
    cells = matrix(variants(["generic"]), [EVENTS["boot"], Boom()], choose(["F18", "S01"]), ONE)
    assert [cell.verdict for cell in cells] == [HOLDS, HOLDS, BROKE_OFF, BROKE_OFF]
    (why,) = {cell.note for cell in cells if cell.verdict == BROKE_OFF}
    assert why.startswith("broke off: program event raised KeyError: 'missing' (tests/measure/test_verdicts.py:")
    assert why.endswith(", event boom")
    text = matrix_text(cells, ONE)
    assert "boom                          X X" in text
    assert "4 cells: 2 BROKE OFF, 2 HOLDS" in text
    assert "KeyError" in text


def test_commands_go_on_after_a_program_that_fails_and_say_so_by_their_status(capsys):
    boom = "boot,tests/measure/test_verdicts.py:Boom"
    assert main(["explore", "generic", "--events", boom, "--property", "F18"]) == 1
    said = capsys.readouterr().out
    assert "generic: BROKE OFF" in said
    assert "boot (1 vCPU, steal_time): HOLDS" in said
    assert main(["matrix", "--protocols", "generic", "--events", boom, "--property", "F18", "--jobs", "1"]) == 1
    assert "BROKE OFF" in capsys.readouterr().out
    assert main(["compare", "--events", boom, "--vcpus", "1", "--metrics", "fate,exits"]) == 1
    said = capsys.readouterr().out
    assert "boot   registered" in said
    assert "boom   broke off" in said


def test_memory_that_runs_out_is_no_fault_of_a_program(monkeypatch):
    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr("workbench.measure.exploration.explore.explore_machine", full)
    with pytest.raises(MemoryError):
        explored(question("null", "boot", "steal_time", 1), choose(["F07"]))


def test_what_was_asked_wrongly_is_no_broken_search():
    asked = Question(variants(["generic"])[0], EVENTS["descriptor-race"], choose_features(["steal_time"]))
    with pytest.raises(WorkbenchError, match="needs at least 2 vCPUs; here are 1"):
        explored(asked, choose())


# -- how a trace ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", MUST_HAVE, ids=lambda case: "-".join(map(str, case)))
def test_every_trace_ends_with_what_is_wrong_and_marks_since_when(case):
    protocol, event, features, vcpus, code = case
    failure, asked = FAILURES[code], question(protocol, event, features, vcpus)
    exploration = explore_question(asked, [failure])
    rows, end = exploration.trace(failure), ending(exploration, failure)
    turns = [row.turn for row in rows]
    now, before = (confirm(asked, turns[:count]) for count in (end.since, end.since - 1))
    assert not {v.sentence for v in failure.violations(before, in_passing=True)} & set(end.sentences)
    assert {v.sentence for v in failure.violations(now, in_passing=True)} & set(end.sentences)
    (marked,) = [line for line in diagram(rows, end.since).splitlines() if line[3:4] == "!"]
    assert marked.startswith(f"{end.since:>3}!")
    said = " ".join(ending_text(failure, end).split())
    assert said.startswith(f"! {failure.title}: ")
    assert said.endswith(f", since step {end.since} (!).")
    assert ending_text(failure, end) in as_text(Explored(protocol, (exploration,)), "diagram")


def test_a_sentence_names_the_place_and_both_addresses():
    asked = question("per_feature", "double-registration-crossing", "kvmclock", 1)
    exploration = explore_question(asked, choose(["F15"]))
    (sentence,) = ending(exploration, FAILURES["F15"]).sentences
    assert sentence == "the guest believes kvmclock of vCPU 0 registered at 0x10ff0; the host serves it at 0x101000"


# -- descriptors in traces -----------------------------------------------------------------------------------


def test_only_a_guest_stores_descriptors_and_only_outside_of_areas():
    scenario = question("generic", "boot", "kvmclock", 1).scenario
    at, payload = scenario.cpu(0).descriptor, scenario.addresses.gpa(scenario.addresses.units(0, 0)[-1])
    assert scenario.unit_at(payload).what == "kvmclock"
    sixteen = Store(at, bytes(16))
    assert scenario.descriptor_in((GUEST, sixteen)).struct_name == "kvm_memory_area"
    assert scenario.descriptor_in((GUEST, Store(payload, bytes(16)))) is None
    assert scenario.descriptor_in(("kernel", sixteen)) is None
    assert scenario.descriptor_in((GUEST, Store(at, bytes(8)))) is None
    assert question("per_feature", "boot", "kvmclock", 1).scenario.descriptor_in((GUEST, sixteen)) is None


def test_a_payload_of_sixteen_bytes_is_not_shown_as_a_descriptor():
    exploration = explore_question(question("generic", "migrate", "kvmclock", 1), choose(["F02"]))
    stored = [row for row in exploration.trace(FAILURES["F02"]) if isinstance(row.own_step, Store)]
    payloads = [row.text for row in stored if isinstance(row.own_step.value, bytes) and row.side == "kernel"]
    assert payloads
    assert all("base=" not in text for text in payloads)
    assert any("base=" in row.text for row in stored if row.side == "guest")


DEEP = struct("struct deep_area { __u32 type; __u32 pad; __u64 where; };")


class Deep(Registry):
    descriptor = DEEP
    address_field = "where"


def test_the_race_overwrites_the_field_that_holds_the_address():
    (feature,) = choose_features(["steal_time"])
    scenario = Question(Variant.of(Deep), EVENTS["boot"], (feature,)).scenario
    (step,) = descriptor_race.scribble(scenario.cpu(0), scenario)
    assert (step.gpa, step.value) == (scenario.cpu(0).descriptor + 8, scenario.addresses.memslot(2))


def test_a_field_that_is_not_there_is_an_error_with_the_fields():
    class Wrong(Deep):
        address_field = "base"

    (feature,) = choose_features(["steal_time"])
    scenario = Question(Variant.of(Wrong), EVENTS["boot"], (feature,)).scenario
    with pytest.raises(WorkbenchError, match="'base' is no field of deep_area; fields: type, pad, where"):
        list(descriptor_race.scribble(scenario.cpu(0), scenario))


# -- words ---------------------------------------------------------------------------------------------------


def test_no_text_has_a_code_without_its_name():
    cells = matrix(variants(["generic"]), [EVENTS["kexec-no-teardown"], EVENTS["i386-edge"]], choose(), ONE)
    text = matrix_text(cells, ONE)
    for code, failure in FAILURES.items():
        for line in text.splitlines():
            assert code not in line or f"{failure.title} ({code})" in line
        assert failure.title in text
    assert max(map(len, text.splitlines())) <= 72
    assert summary(cells) in text


def test_a_heading_leads_to_the_column_of_its_property():
    cells = matrix(variants(["generic"]), [EVENTS["kexec-no-teardown"]], choose(), ONE)
    lines = matrix_text(cells, ONE).splitlines()
    (row,) = [line for line in lines if line.startswith("kexec-no-teardown   ") and "F" in line and "stray" not in line]
    for cell in cells:
        (head,) = [line for line in lines if line.startswith(f"{FAILURES[cell.property].title} -")]
        shown = {".": HOLDS, "F": FAILS, "-": NOT_EXERCISED}[row[head.index("+")]]
        assert shown == cell.verdict
