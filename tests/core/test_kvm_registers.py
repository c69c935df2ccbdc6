"""KVM's registers: each number once, and which values let the host use which address."""

import pytest

from workbench.core.kvm_registers import (
    ASYNC_PF_EN,
    KVM_RANGE,
    KVM_REGISTERS,
    POLL_CONTROL,
    PV_EOI_EN,
    QEMU_ORDER,
    STEAL_TIME,
    SYSTEM_TIME,
    SYSTEM_TIME_NEW,
    WALL_CLOCK,
    WALL_CLOCK_NEW,
)
from workbench.features import FEATURES

ALL = [one for several in KVM_REGISTERS.values() for one in several]


def test_every_register_has_a_name_and_a_number_of_its_own():
    assert len({one.msr for one in ALL}) == len({one.name for one in ALL}) == len(ALL)
    assert [one.name for one in ALL if one.msr not in KVM_RANGE] == ["SYSTEM_TIME", "WALL_CLOCK"]
    assert [one.name for one in ALL if one not in QEMU_ORDER and one.cell == one.msr] == [
        "SYSTEM_TIME_NEW", "WALL_CLOCK_NEW", "ASYNC_PF_ACK", "MIGRATION_CONTROL",
    ]  # fmt: skip


def test_a_second_name_is_another_number_for_the_same_cell():
    assert (SYSTEM_TIME.cell, WALL_CLOCK.cell) == (SYSTEM_TIME_NEW.msr, WALL_CLOCK_NEW.msr)
    assert SYSTEM_TIME.address_in(0x3001) == SYSTEM_TIME_NEW.address_in(0x3001) == 0x3000


@pytest.mark.parametrize(
    ("register", "value", "gpa"),
    [
        (SYSTEM_TIME_NEW, 0x3001, 0x3000), (SYSTEM_TIME_NEW, 0x3003, 0x3002), (SYSTEM_TIME_NEW, 0x3000, None),
        (WALL_CLOCK_NEW, 0x3001, 0x3001), (WALL_CLOCK_NEW, 0, None),
        (STEAL_TIME, 0x3041, 0x3040), (STEAL_TIME, 1, 0), (STEAL_TIME, 0x3040, None),
        (PV_EOI_EN, 0x3005, 0x3004), (PV_EOI_EN, 0x3004, None),
        (ASYNC_PF_EN, 0x3209, 0x3200), (ASYNC_PF_EN, 0x3201, None), (ASYNC_PF_EN, 0x3208, None),
        (POLL_CONTROL, 1, None),
    ],
)  # fmt: skip
def test_the_address_in_a_value(register, value, gpa):
    assert register.address_in(value) == gpa


@pytest.mark.parametrize(
    ("register", "granule"),
    [(SYSTEM_TIME, 2), (WALL_CLOCK, 1), (STEAL_TIME, 64), (PV_EOI_EN, 4), (ASYNC_PF_EN, 64), (POLL_CONTROL, 0)],
)
def test_the_distance_between_addresses(register, granule):
    assert register.granule == granule


def test_each_feature_states_those_that_serve_it_and_brings_none():
    assert {name: feature.registers for name, feature in FEATURES.items() if feature.registers} == dict(KVM_REGISTERS)
    assert not any(feature.brings_register for feature in FEATURES.values())


def test_what_a_host_touches_lies_in_the_payload():
    assert all(feature.registers[0].touches <= feature.size for feature in FEATURES.values() if feature.registers)
