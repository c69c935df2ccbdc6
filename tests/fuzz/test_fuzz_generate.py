"""Sequences: the same for the same seed, valid on every engine, and covering all registers and scenarios."""

import hashlib
from collections import Counter

import pytest

from workbench.core.vcpu import KVM_SUPPORTED
from workbench.fuzz.compare import Divergence
from workbench.fuzz.findings import as_replay
from workbench.fuzz.generate import GENERATOR, Options, offers, sequence
from workbench.fuzz.palette import CLAIMED, UNCLAIMED
from workbench.replay.operations import OPERATIONS
from workbench.replay.reading import parse


@pytest.fixture(scope="module")
def many():
    return [sequence(1, number, 200).operations for number in range(300)]


def test_the_same_seed_gives_the_same_bytes():
    for number in range(5):
        assert repr(sequence(7, number, 150)) == repr(sequence(7, number, 150))
    assert repr(sequence(7, 0, 150)) != repr(sequence(7, 1, 150)) != repr(sequence(8, 1, 150))


def test_a_state_file_is_continued_by_the_generator_that_began_it():
    """If this fails because the sequences were changed on purpose, GENERATOR needs another number."""
    text = as_replay(sequence(2011, 4, 200).operations, Divergence(999, "none", "", ""), ())
    assert (GENERATOR, hashlib.sha256(text.encode()).hexdigest()[:16]) == (8, "6d60d0313e92b688")


@pytest.mark.parametrize("length", [20, 60, 200])
def test_lengths_are_exact_and_the_end_looks_at_all_memory(length):
    for number in range(40):
        operations = sequence(3, number, length).operations
        assert len(operations) == length
        assert operations[0].op == "machine"
        there = {}
        for step in operations:
            if step.op == "ram":
                there[step.arguments["gpa"]] = step.arguments["size"]
            elif step.op == "unplug":
                del there[step.arguments["gpa"]]
        looked = {s.arguments["gpa"]: s.arguments["size"] for s in operations[length - 3 :] if s.op == "load"}
        assert looked == there


def test_every_sequence_is_a_possible_replay(many):
    for operations in many:
        text = as_replay(operations, Divergence(999, "none", "", ""), ())
        body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
        assert parse("f", body.encode()).operations == list(operations)


def test_cpuid_bits_are_chosen_once_for_each_vcpu(many):
    for operations in many:
        chosen = {}
        for step in operations:
            if step.op == "cpuid":
                features = step.arguments["features"]
                assert chosen.setdefault(step.arguments["cpu"], features) == features


def test_cpuid_bits_come_before_the_vcpu_runs(many):
    for operations in many:
        ran = set()
        for step in operations:
            cpu = step.arguments.get("cpu")
            if step.op == "cpuid" and step.arguments["features"] != KVM_SUPPORTED:
                first = not any(s.op == "cpuid" and s.arguments["cpu"] == cpu for s in operations[: step.line - 1])
                assert not (first and cpu in ran)
            if step.op in ("wrmsr", "rdmsr", "run"):
                ran.add(cpu)


def test_no_init_without_a_lapic(many):
    without = [operations for operations in many if not operations[0].arguments["irqchip"]]
    assert without
    assert not any(step.op == "init" for operations in without for step in operations)


def test_all_operations_and_registers_are_reached(many):
    ops = Counter(step.op for operations in many for step in operations)
    assert set(ops) == set(OPERATIONS) - {"hypercall"}, "KVM's own are not possible everywhere (docs/fuzzing.md)"
    for op in ("wrmsr", "rdmsr", "host_set_msr", "host_get_msr"):
        reached = {s.arguments["msr"] for operations in many for s in operations if s.op == op}
        assert reached >= set(CLAIMED) | set(UNCLAIMED)


def test_values_reach_the_edges(many):
    values = [s.arguments["value"] for o in many for s in o if s.op == "wrmsr"]
    assert any(value == (1 << 64) - 1 for value in values)
    assert any(value > 1 << 60 for value in values)
    for bit in range(6):
        assert any(value >> bit & 1 for value in values)
    assert any(value % 0x1000 > 0xFE0 for value in values), "across the end of a page"


def test_enforcement_can_be_left_out():
    for number in range(60):
        assert not any(s.op == "cpuid" for s in sequence(1, number, 200, Options(enforcement=False)).operations)
    assert len({features for offer in offers(1) for features in offer}) > 5
