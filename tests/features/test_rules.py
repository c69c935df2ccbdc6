"""The rules of each payload's ABI besides its version: which side writes which byte, and which bytes stay unchanged."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.core.host_state import baseline
from workbench.features import FEATURES
from workbench.features.kvmclock import (
    FLAGS,
    PVCLOCK_GUEST_STOPPED,
    PVCLOCK_TSC_STABLE_BIT,
    nanoseconds,
    readable_flags,
)
from workbench.features.wall_clock import EPOCH_NS

from .stepping import GPA, in_guest, moment, on_host, world

areas = st.binary(min_size=64, max_size=64)
times = st.integers(0, 2**40)


def area(machine, name):
    return machine.memory.load(GPA, FEATURES[name].size)


@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize("found", [bytes(64), b"\xff" * 64])
def test_an_update_stays_within_its_area(name, found):
    machine = world()
    machine.memory.store(GPA - 64, found * 3)
    on_host(machine, FEATURES[name].update(0, GPA, moment(5_000)))
    size = FEATURES[name].size
    assert machine.memory.load(GPA - 64, 64) == found
    assert machine.memory.load(GPA + size, 128 - size) == (found * 2)[: 128 - size]


@pytest.mark.parametrize("name", ["kvmclock", "async_pf", "pv_eoi", "steal_time", "watchdog"])
def test_the_guest_clears_the_area_before_it_registers(name):
    machine = world(b"\xff" * FEATURES[name].size)
    in_guest(machine, FEATURES[name].prepare(GPA))
    left = bytearray(area(machine, name))
    if name == "async_pf":
        assert left[8:12] == b"\xf3\0\0\0", "the vector stands where a protocol without a register finds it"
        left[8:12] = bytes(4)
    assert left == bytes(FEATURES[name].size)


# -- kvmclock ------------------------------------------------------------------------------------------


@given(first=times, later=st.integers(0, 10**6))
def test_kvmclock_counts_on_from_the_hosts_time_at_the_rate_of_the_tsc(first, later):
    machine = world(bytes(32))
    on_host(machine, FEATURES["kvmclock"].update(0, GPA, moment(first)))
    info = in_guest(machine, FEATURES["kvmclock"].read(GPA))
    assert nanoseconds(info, info.tsc_timestamp) == first
    assert nanoseconds(info, moment(first + later).tsc) == first + later


@pytest.mark.parametrize(("shift", "expected"), [(1, 104), (0, 102), (-1, 101)])
def test_kvmclock_shifts_the_tsc_either_way(shift, expected):
    info = SimpleNamespace(tsc_timestamp=10, tsc_shift=shift, tsc_to_system_mul=1 << 31, system_time=100)
    assert nanoseconds(info, 14) == expected


@given(flags=st.integers(0, 255), word=st.integers(0, 2**32 - 1))
def test_kvmclock_flags_are_read_by_the_last_8_bits_of_the_feature_word(flags, word):
    """The header's rule, bit by bit."""
    readable = readable_flags(flags, word)
    for bit in range(8):
        assert bool(readable >> bit & 1) is bool(flags >> bit & 1 and word >> (24 + bit) & 1)
    if not word & 0xFF00_0000:
        assert readable == 0, "if no bits are set, all flags are ignored"


def test_kvmclock_flags_on_a_linux_host_tell_of_a_stable_tsc():
    assert readable_flags(PVCLOCK_TSC_STABLE_BIT | PVCLOCK_GUEST_STOPPED, 0x0100_7EFB) == PVCLOCK_TSC_STABLE_BIT
    assert readable_flags(PVCLOCK_TSC_STABLE_BIT, 0x0000_7EFB) == 0


@pytest.mark.parametrize("found", [0, 1, 2, 3, 4, 0xFC, 0xFF])
def test_kvmclock_keeps_guest_stopped_and_no_other_flag_it_finds(found):
    machine = world(bytes(FLAGS) + bytes([found]) + bytes(2))
    on_host(machine, FEATURES["kvmclock"].update(0, GPA, moment(5_000)))
    assert area(machine, "kvmclock")[FLAGS] == PVCLOCK_TSC_STABLE_BIT | found & PVCLOCK_GUEST_STOPPED


# -- wall clock ----------------------------------------------------------------------------------------


@given(now=times)
def test_wall_clock_and_kvmclock_add_up_to_the_time_of_day(now):
    machine = world(bytes(12))
    on_host(machine, FEATURES["wall_clock"].update(0, GPA, moment(now)))
    wall = in_guest(machine, FEATURES["wall_clock"].read(GPA))
    assert wall.sec * 10**9 + wall.nsec + now == EPOCH_NS
    assert 0 <= wall.nsec < 10**9


# -- steal time ----------------------------------------------------------------------------------------


@given(found=areas, now=times)
def test_steal_time_adds_to_what_it_finds_and_leaves_flags_and_padding(found, now):
    machine = world(found)
    on_host(machine, FEATURES["steal_time"].update(0, GPA, moment(now)))
    data = area(machine, "steal_time")
    assert int.from_bytes(data[:8], "little") == (int.from_bytes(found[:8], "little") + now // 10) % (1 << 64)
    assert data[12:16] == found[12:16], "flags"
    assert data[16] == 0, "preempted"
    assert data[17:] == found[17:], "padding"


@given(moments=st.lists(times, min_size=1, max_size=6).map(sorted))
def test_steal_time_counts_each_nanosecond_once_on_one_host(moments):
    machine = world(bytes(64))
    for ns in moments:
        on_host(machine, FEATURES["steal_time"].update(0, GPA, moment(ns)))
    assert in_guest(machine, FEATURES["steal_time"].read(GPA)).steal == moments[-1] // 10
    assert machine.entries[baseline(0, "steal_time")] == moments[-1] // 10


def test_steal_time_begins_its_count_again_on_another_host():
    """The sum is in guest memory and keeps growing; the old host's baseline is forgotten."""
    machine = world(bytes(64))
    on_host(machine, FEATURES["steal_time"].update(0, GPA, moment(1_000)))
    machine.entries.clear()
    on_host(machine, FEATURES["steal_time"].update(0, GPA, moment(300)))
    assert in_guest(machine, FEATURES["steal_time"].read(GPA)).steal == 100 + 30


def test_steal_time_keeps_a_count_for_each_vcpu():
    machine = world(bytes(128))
    for cpu in (0, 1):
        on_host(machine, FEATURES["steal_time"].update(cpu, GPA + 64 * cpu, moment(1_000)))
    assert [machine.memory.load(GPA + at, 8) for at in (0, 64)] == [(100).to_bytes(8, "little")] * 2


def test_a_failed_update_of_steal_time_keeps_its_baseline():
    machine = world(bytes(64))
    on_host(machine, FEATURES["steal_time"].update(0, 0x9000, moment(1_000)))
    on_host(machine, FEATURES["steal_time"].update(0, GPA, moment(2_000)))
    assert in_guest(machine, FEATURES["steal_time"].read(GPA)).steal == 200


# -- async page fault ----------------------------------------------------------------------------------


def test_async_pf_waits_until_the_guest_has_taken_the_last_token():
    async_pf = FEATURES["async_pf"]
    machine = world(bytes(64))
    on_host(machine, async_pf.update(0, GPA, moment(5_000)))
    on_host(machine, async_pf.update(0, GPA, moment(6_000)))
    assert in_guest(machine, async_pf.read(GPA)) == 5_000
    assert in_guest(machine, async_pf.read(GPA)) is None
    on_host(machine, async_pf.update(0, GPA, moment(6_000)))
    assert in_guest(machine, async_pf.read(GPA)) == 6_000


@pytest.mark.parametrize("ns", [0, 1 << 32])
def test_async_pf_never_writes_the_token_0_that_means_none(ns):
    machine = world(bytes(64))
    on_host(machine, FEATURES["async_pf"].update(0, GPA, moment(ns)))
    assert in_guest(machine, FEATURES["async_pf"].read(GPA)) == 1


@given(found=areas)
def test_async_pf_touches_the_token_alone(found):
    machine = world(found)
    on_host(machine, FEATURES["async_pf"].update(0, GPA, moment(5_000)))
    data = area(machine, "async_pf")
    assert data[:4] + data[8:] == found[:4] + found[8:]


# -- PV EOI --------------------------------------------------------------------------------------------


def test_pv_eoi_is_set_by_the_host_and_cleared_once_by_the_guest():
    eoi = FEATURES["pv_eoi"]
    machine = world(bytes(4))
    assert in_guest(machine, eoi.read(GPA)) is None, "nothing pending: this end needs an exit"
    on_host(machine, eoi.update(0, GPA, moment(1)))
    assert in_guest(machine, eoi.read(GPA)) is True
    assert in_guest(machine, eoi.read(GPA)) is None
    assert machine.memory.load(GPA, 4) == bytes(4)


def test_pv_eoi_the_host_touches_one_byte_of_four():
    machine = world(b"\xaa\xbb\xcc\xdd")
    on_host(machine, FEATURES["pv_eoi"].update(0, GPA, moment(1)))
    assert machine.memory.load(GPA, 4) == b"\x01\xbb\xcc\xdd"


# -- values and the watchdog ---------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "value"), [("poll_control", 0), ("migration_control", 1)])
def test_a_value_is_in_its_area_for_protocols_that_can_only_name_memory(name, value):
    machine = world(b"\xff" * 8)
    in_guest(machine, FEATURES[name].prepare(GPA))
    assert area(machine, name) == value.to_bytes(8, "little")
    assert FEATURES[name].is_value
    assert FEATURES[name].guest_value == value


@pytest.mark.parametrize("name", ["poll_control", "migration_control", "watchdog"])
def test_the_host_writes_no_area_that_only_the_guest_writes(name):
    machine = world(b"\x5a" * 16)
    on_host(machine, FEATURES[name].update(0, GPA, moment(5_000)))
    assert machine.memory.load(GPA, 16) == b"\x5a" * 16
    assert in_guest(machine, FEATURES[name].read(GPA)) is None
