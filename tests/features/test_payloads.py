"""The payload ABIs: sizes and offsets of Linux, on both ABIs, and the attributes of each feature."""

import pytest

from workbench.clayout.layout import Abi
from workbench.errors import WorkbenchError
from workbench.features import FEATURES, SHIPPED, choose

# name: bytes, {field: offset}; arch/x86/include/asm/pvclock-abi.h and uapi/asm/kvm_para.h.
ABI = {
    "kvmclock": (
        32,
        {
            "version": 0, "pad0": 4, "tsc_timestamp": 8, "system_time": 16,
            "tsc_to_system_mul": 24, "tsc_shift": 28, "flags": 29, "pad": 30,
        },
    ),
    "wall_clock": (12, {"version": 0, "sec": 4, "nsec": 8}),
    "steal_time": (64, {"steal": 0, "version": 8, "flags": 12, "preempted": 16, "u8_pad": 17, "pad": 20}),
    "async_pf": (64, {"flags": 0, "token": 4, "pad": 8}),
    "pv_eoi": (4, {"pending": 0}),
    "poll_control": (8, {"value": 0}),
    "migration_control": (8, {"value": 0}),
    "watchdog": (16, {"version": 0, "pad": 4, "last_update_ns": 8}),
}  # fmt: skip


def test_the_table_names_every_feature():
    assert set(ABI) == set(FEATURES)


@pytest.mark.parametrize("abi", list(Abi))
@pytest.mark.parametrize("name", ABI)
def test_sizes_and_offsets_are_those_of_the_kernel_on_both_abis(name, abi):
    size, offsets = ABI[name]
    layout = FEATURES[name].payload.on(abi)
    assert (layout.size, FEATURES[name].size) == (size, size)
    assert {field.name: field.offset for field in layout.fields} == offsets
    assert layout.holes == ()


# Documentation/virt/kvm/x86/msr.rst: CPUID bit, alignment, and scope of the area.
@pytest.mark.parametrize(
    ("name", "bit", "align", "scope"),
    [
        ("kvmclock", 3, 4, "vcpu"),
        ("wall_clock", 3, 4, "vm"),
        ("async_pf", 4, 64, "vcpu"),
        ("steal_time", 5, 64, "vcpu"),
        ("pv_eoi", 6, 4, "vcpu"),
        ("poll_control", 12, 8, "vcpu"),
        ("migration_control", 17, 8, "vm"),
        ("watchdog", None, 8, "vm"),
    ],
)
def test_cpuid_bit_alignment_and_scope(name, bit, align, scope):
    feature = FEATURES[name]
    assert (feature.cpuid_bit, feature.align, feature.scope) == (bit, align, scope)
    assert feature.title
    assert feature.source


def test_only_the_vmm_understands_migration_control_and_the_watchdog():
    assert {f.name for f in FEATURES.values() if f.served_by == "user"} == {"migration_control", "watchdog"}


def test_linux_registers_and_revokes_in_its_own_order():
    boot = sorted((f for f in choose() if f.linux_boot is not None), key=lambda f: f.linux_boot)
    teardown = sorted((f for f in choose() if f.linux_teardown is not None), key=lambda f: f.linux_teardown)
    assert [f.name for f in boot] == ["kvmclock", "async_pf", "pv_eoi", "steal_time", "wall_clock", "watchdog"]
    assert [f.name for f in teardown] == ["steal_time", "pv_eoi", "migration_control", "async_pf", "kvmclock"]


def test_choose_gives_all_or_the_named_ones_in_one_order():
    assert choose() == tuple(FEATURES.values())
    assert [f.name for f in choose(["steal_time", "kvmclock"])] == ["kvmclock", "steal_time"]


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        (["steal_time", "kvm_clock"], "unknown feature 'kvm_clock'; did you mean kvmclock, wall_clock?"),
        ([], "no feature named;"),
        ([""], "unknown feature '';"),
    ],
)
def test_an_unknown_feature_is_one_line(names, wrong):
    with pytest.raises(WorkbenchError) as error:
        choose(names)
    known = ", ".join(SHIPPED if names else FEATURES)
    assert str(error.value) == f"{wrong} known: {known}, or path/to/file.py:Class"
