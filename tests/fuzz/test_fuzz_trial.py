"""Comparing and shrinking, with the simulator on both sides: equal hosts agree, different ones do not."""

from dataclasses import replace

import pytest

from workbench.core.host_state import area
from workbench.core.outcome import HANDLED
from workbench.core.steps import Set, Store
from workbench.errors import EngineError
from workbench.features import choose
from workbench.fuzz.findings import as_replay, both_sides, write
from workbench.fuzz.generate import sequence
from workbench.fuzz.shrink import shrink
from workbench.protocols import PerFeature
from workbench.replay.reading import parse

from .pretended import Pretended, bench

STEAL, EOI, WALL = 0x4B564D03, 0x4B564D04, 0x4B564D00


def operations_of(*lines):
    return parse("f", "\n".join(['{"op": "machine", "vcpus": 2}', *lines]).encode()).operations


def test_equal_hosts_agree():
    with bench() as both:
        verdicts = [both.judge(sequence(1, number, 120).operations) for number in range(40)]
    assert [verdict.divergence for verdict in verdicts] == [None] * 40
    assert [verdict.compared for verdict in verdicts] == [120] * 40


class Kinder(PerFeature):
    """Accepts reserved bits of STEAL_TIME; POLL_CONTROL reads 7; INIT clears no register."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        outcome = yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated)
        return HANDLED if msr == STEAL else outcome

    native = PerFeature.native


class Writer(PerFeature):
    """Writes one byte too many after each wall clock."""

    native = PerFeature.native

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        outcome = yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated)
        if msr == WALL:
            yield Store(value + 12, b"\x77")
        return outcome


class Sleeper(PerFeature):
    """Forgets the area of steal time when PV EOI is registered."""

    native = PerFeature.native

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        outcome = yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated)
        if msr == EOI:
            yield Set(area(cpu.index, "steal_time"), None)
        return outcome


@pytest.mark.parametrize("kind", [Kinder, Writer, Sleeper])
@pytest.mark.parametrize("real", [False, True])
def test_different_hosts_do_not_whichever_side_is_the_other_one(kind, real):
    sides = {"real" if real else "simulated": lambda: kind(choose())}
    with bench(**sides) as both:
        for number in range(120):
            operations = sequence(1, number, 200).operations
            found = both.judge(operations).divergence
            if found:
                break
        else:
            pytest.fail("not noticed")
        small = both.make_small(operations, found)
    assert small.fresh
    assert len([step for step in small.operations if step.op not in ("machine", "ram", "load")]) <= 5
    assert small.divergence.kind == found.kind


def test_a_version_that_stands_still_is_noticed():
    lines = (
        '{"op": "ram", "gpa": 0, "size": "0x8000"}',
        '{"op": "wrmsr", "msr": "0x4b564d03", "value": "0x1001"}',
        '{"op": "run"}',
        '{"op": "load", "gpa": "0x1000", "size": 64}',
        '{"op": "wrmsr", "msr": "0x4b564d04", "value": "0x2001"}',
        '{"op": "run"}',
        '{"op": "load", "gpa": "0x1000", "size": 64}',
        '{"op": "run"}',
        '{"op": "load", "gpa": "0x1000", "size": 64}',
    )
    with bench(real=lambda: Sleeper(choose())) as both:
        both.known = replace(both.known, left_out=None)  # the clocks of two simulators tick alike at first
        found = both.judge(operations_of(*lines)).divergence
    assert (found.position, found.simulated, found.real) == (7, "06000000", "04000000")
    assert "less often" in found.why
    assert "06000000" in found.expect["not_hex"][0]
    with bench(simulated=lambda: Sleeper(choose())) as both:
        both.known = replace(both.known, left_out=None)  # the clocks of two simulators tick alike at first
        found = both.judge(operations_of(*lines)).divergence
    assert found.position == 9
    assert "KVM has written it" in found.why


class Unlogged(Pretended):
    """A machine whose dirty log is empty."""

    def dirty_pages(self):
        return frozenset()


class Smearing(Pretended):
    """A machine that says it wrote a page where nothing is registered."""

    def dirty_pages(self):
        return super().dirty_pages() | {5}


@pytest.mark.parametrize(("target", "said"), [(Unlogged, "lacks 0x1000"), (Smearing, "no area: 0x5000")])
def test_dirty_pages_are_compared_at_the_end(target, said):
    lines = (
        '{"op": "ram", "gpa": 0, "size": "0x8000"}',
        '{"op": "wrmsr", "msr": "0x4b564d03", "value": "0x1001"}',
        '{"op": "run"}',
    )
    with bench(target=target) as both:
        found = both.judge(operations_of(*lines)).divergence
    assert (found.position, found.key) == (4, "dirty")
    assert found.why.endswith(said)


class Failing(Pretended):
    """A machine that takes no INIT."""

    def init(self, cpu):
        raise EngineError("the guest did not come back")


def test_what_one_side_cannot_do_is_a_divergence():
    with bench(target=Failing) as both:
        found = both.judge(operations_of('{"op": "init"}')).divergence
    assert (found.key, found.simulated, found.real) == ("error", "nothing", "the guest did not come back")


class Tired(Pretended):
    """A machine that answers differently from its second sequence on, as after an incomplete reset."""

    used = False

    def reset(self):
        super().reset()
        self.used = True

    def host_get_msr(self, cpu, msr):
        value = super().host_get_msr(cpu, msr)
        return 99 if self.used and msr == STEAL else value


def test_what_a_used_machine_alone_shows_is_said_so():
    operations = operations_of('{"op": "host_get_msr", "msr": "0x4b564d03"}')
    with bench(target=Tired) as both:
        assert both.judge(operations).divergence is None
        found = both.judge(operations).divergence
        assert found is not None
        small = both.make_small(operations, found)
    assert not small.fresh
    assert list(small.operations) == list(operations)


def test_shrinking_keeps_what_matters_and_a_possible_replay():
    operations = sequence(1, 3, 200).operations
    wanted = [step for step in operations if step.op == "wrmsr"][7]

    def shows(tried):
        return any(step.arguments.get("value", -1) & 1 for step in tried if step.op == wanted.op)

    small = shrink(operations, shows)
    assert [step.op for step in small] == ["machine", "wrmsr"]
    assert small[1].arguments["value"] == 1
    assert small[1].arguments["cpu"] == 0
    assert [step.line for step in small] == [1, 2]


def test_shrinking_removes_what_is_only_needed_together():
    store = '{"op": "store", "gpa": 0, "hex": "00"}'
    lines = ('{"op": "ram", "gpa": 0, "size": "0x1000"}', store, '{"op": "run"}', store)

    def shows(tried):
        return sum(step.op == "store" for step in tried) % 2 == 0

    assert [step.op for step in shrink(operations_of(*lines), shows)] == ["machine"]


def test_shrinking_never_leaves_an_unplug_without_its_memory():
    candidates = (sequence(1, number, 200).operations for number in range(90))
    operations = next(one for one in candidates if any(step.op == "unplug" for step in one))
    small = shrink(operations, lambda tried: any(step.op == "unplug" for step in tried))
    assert [step.op for step in small] == ["machine", "ram", "unplug"]


def test_a_finding_is_a_replay_file_with_both_sides(tmp_path):
    operations = operations_of('{"op": "wrmsr", "msr": "0x4b564d03", "value": 3}')
    with bench(simulated=lambda: Kinder(choose())) as both:
        found = both.judge(operations).divergence
    assert both_sides(operations, found) == [
        "operation 2: wrmsr cpu=0 msr=0x4b564d03 value=0x3: outcome",
        "simulator: HANDLED",
        "KVM:       FAULT",
    ]
    path = write(tmp_path / "new", "small", operations, found, ["this kernel"])
    assert path.read_text() == (
        "# this kernel\n"
        "# operation 2: wrmsr cpu=0 msr=0x4b564d03 value=0x3: outcome\n"
        "# simulator: HANDLED\n"
        "# KVM:       FAULT\n"
        '{"op": "machine", "vcpus": 2, "irqchip": true}\n'
        '{"op": "wrmsr", "cpu": 0, "msr": "0x4b564d03", "value": "0x3", "expect": {"outcome": "FAULT"}}\n'
    )
    assert as_replay(operations, found, ["this kernel"]) == path.read_text()
