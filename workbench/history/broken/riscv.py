"""RISC-V SBI's *_set_shmem calls, as KVM and a firmware implemented them.

SbiUnchecked (extension STA)
V1  KVM_SET_ONE_REG took any address, also one that the call refuses, and the next run hit a WARN_ON.
V2  Mitigation ``validate-on-restore``: it checks the alignment (fa9681ed5c6a, 2026; R8 of the design).

RustSbi
V3  The guest revokes by all-ones, as the specification says; but in its own variable the firmware kept 0 for "no area".
    Address 0 may be memory: an area there was zeroed, accepted, and counted as none.
V4  Mitigation ``spec-sentinel``: all-ones is kept for "no area" (review of RustSBI pull request 255).

PmuSnapshot (extension PMU)
V5  On RV32 a misplaced goto let every call with an address above 4 GiB succeed and register nothing.
V6  Mitigation ``register-high``: it registers (aa35bcf2e762, 2026).
V7  No one-reg reads the address (Linux 6.12 arch/riscv/kvm/vcpu_pmu.c), so that a migration loses it.
V8  Mitigation ``one-reg``: one does, as for the steal-time area.
V9  The area is not zeroed, and its memory is looked for only when it is used.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from workbench.clayout.layout import struct
from workbench.core.contracts import Feature
from workbench.core.host_state import area
from workbench.core.steps import Get, Note, Program
from workbench.core.vcpu import Vcpu
from workbench.history.broken.one_word import OneWord
from workbench.history.properties import TRIPPED
from workbench.protocols._kept import Kept
from workbench.protocols.sbi_sta import ALL_ONES, SUCCESS, SbiSta

EXT_PMU = 0x50_4D55


class CounterSnapshot(OneWord):
    """The first word of the 4096 bytes to which the host writes counters when they stop."""

    name = "pmu_snapshot"
    title = "SBI PMU snapshot"
    payload = struct("struct pmu_snapshot { __u64 overflow; __u64 counters[64]; __u8 reserved[3576]; };")
    size = align = 4096
    source = "riscv-sbi-doc ext-pmu.adoc"


class SbiUnchecked(SbiSta):
    """sbi_steal_time_set_shmem in KVM before 2026."""

    name = "sbi_unchecked"
    title = "SBI steal time (before 2026)"
    mitigations_known: ClassVar[Mapping[str, str]] = {"validate-on-restore": "restore checks the alignment (V2)"}

    def may_restore(self, cpu: Vcpu, feature: Feature, value: int) -> Program:
        return "validate-on-restore" not in self.mitigations or (yield from super().may_restore(cpu, feature, value))

    def deliver(self, cpu: Vcpu, feature: Feature) -> Program:
        gpa = yield Get(area(cpu.index, feature.name))
        if gpa is not None and gpa % feature.align:
            yield Note(TRIPPED, True)  # V1
        else:
            yield from super().deliver(cpu, feature)


class RustSbi(SbiSta):
    """sbi_steal_time_set_shmem in a firmware."""

    name = "rustsbi"
    title = "RustSBI: 0 kept for no area"
    mitigations_known: ClassVar[Mapping[str, str]] = {"spec-sentinel": "all-ones is kept for no area (V4)"}

    def keep(self, owner: int, feature: Feature, value: int | None) -> Program:
        kept = value if value or "spec-sentinel" in self.mitigations else None  # V3, V4
        yield from super().keep(owner, feature, kept)


class PmuSnapshot(SbiSta):
    """sbi_pmu_snapshot_set_shmem in KVM."""

    name = "sbi_pmu_snapshot"
    title = "SBI PMU snapshot (before 2026)"
    own_features = ("pmu_snapshot",)
    hypercalls = frozenset({EXT_PMU})
    mitigations_known: ClassVar[Mapping[str, str]] = {
        "register-high": "an address above 4 GiB is registered (V6)",
        "one-reg": "a one-reg carries the address (V8)",
    }

    def on_hypercall(self, cpu: Vcpu, number: int, arguments: tuple[int, ...]) -> Program:
        low, high, _ = arguments
        off = low == high == ALL_ONES
        if low >> 32 and not off and "register-high" not in self.mitigations:
            return SUCCESS, 0  # V5
        yield from self.keep(cpu.index, self.features[0], None if off else low)  # V6, V9
        return SUCCESS, 0

    def deliver(self, cpu: Vcpu, feature: Feature) -> Program:
        yield from super(Kept, self).deliver(cpu, feature)  # V9

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        if "one-reg" not in self.mitigations:
            return ()  # V7
        return (yield from super().save(cpus))  # V8
