"""RISC-V SBI's *_set_shmem calls, as KVM and a firmware implemented them.

StealTime (extension STA)
V1  The call refuses an address that is not 64-byte aligned; KVM_SET_ONE_REG took any, and the next run hit a WARN_ON.
V2  Mitigation ``validate-on-restore``: both use one check (fa9681ed5c6a, 2026).

RustSbi
V3  The guest revokes by all-ones, as the specification says; the firmware took 0 for "off" and refused all-ones.
V4  Mitigation ``spec-sentinel``: all-ones is "off" (RustSBI pull request 255).

PmuSnapshot (extension PMU)
V5  On RV32 a misplaced goto let every call with an address above 4 GiB succeed and register nothing.
V6  Mitigation ``register-high``: it registers (aa35bcf2e762, 2026).
V7  No one-reg reads the address (Linux 6.12 arch/riscv/kvm/vcpu_pmu.c), so that a migration loses it.
V8  Mitigation ``one-reg``: one does, as for the steal-time area.

The steal-time structure is taken to be x86's: the size, the alignment and the version rule are the same.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from workbench.clayout.layout import struct
from workbench.core.contracts import Feature
from workbench.core.host_state import area
from workbench.core.outcome import HANDLED
from workbench.core.steps import Get, Note, Program
from workbench.core.vcpu import Vcpu
from workbench.history.broken.call import Call
from workbench.history.broken.one_word import OneWord
from workbench.history.properties import TRIPPED

ALL_ONES = (1 << 64) - 1
STA_SET_SHMEM, PMU_SET_SHMEM = 0x53_5441, 0x50_4D55


class CounterSnapshot(OneWord):
    """The first word of the 4096 bytes to which the host writes counters when they stop."""

    name = "pmu_snapshot"
    title = "SBI PMU snapshot"
    payload = struct("struct pmu_snapshot { __u64 overflow; __u64 counters[64]; __u8 reserved[3576]; };")
    size = align = 4096
    source = "riscv-sbi-doc ext-pmu.adoc"


class SbiStealTime(Call):
    """sbi_steal_time_set_shmem in KVM."""

    name = "sbi_steal_time"
    title = "SBI steal time (before 2026)"
    numbers: ClassVar[Mapping[str, int]] = {"steal_time": STA_SET_SHMEM}
    off = ALL_ONES
    mitigations_known: ClassVar[Mapping[str, str]] = {"validate-on-restore": "restore checks as the call (V2)"}

    def allows(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return gpa % feature.align == 0  # V1
        yield

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        if "validate-on-restore" in self.mitigations:
            yield from super().restore(cpus, saved)  # V2
            return
        for index, _, value in saved:
            yield from self.keep(cpus[index], self.features[0], value)  # V1

    def deliver(self, cpu: Vcpu, feature: Feature) -> Program:
        gpa = yield Get(area(cpu.index, feature.name))
        if gpa is not None and gpa % feature.align:
            yield Note(TRIPPED, True)  # V1
        else:
            yield from super().deliver(cpu, feature)


class RustSbi(SbiStealTime):
    """sbi_steal_time_set_shmem in a firmware."""

    name = "rustsbi"
    title = "RustSBI: 0 means off"
    mitigations_known: ClassVar[Mapping[str, str]] = {"spec-sentinel": "all-ones means off (V4)"}

    def means_off(self) -> int:
        return ALL_ONES if "spec-sentinel" in self.mitigations else 0  # V3, V4


class PmuSnapshot(Call):
    """sbi_pmu_snapshot_set_shmem in KVM."""

    name = "sbi_pmu_snapshot"
    title = "SBI PMU snapshot (before 2026)"
    numbers: ClassVar[Mapping[str, int]] = {"pmu_snapshot": PMU_SET_SHMEM}
    off = ALL_ONES
    mitigations_known: ClassVar[Mapping[str, str]] = {
        "register-high": "an address above 4 GiB is registered (V6)",
        "one-reg": "a one-reg carries the address (V8)",
    }

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        if value >> 32 and value != ALL_ONES and "register-high" not in self.mitigations:
            return HANDLED  # V5
        return (yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated))  # V6

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        if "one-reg" not in self.mitigations:
            return ()  # V7
        return (yield from super().save(cpus))  # V8
