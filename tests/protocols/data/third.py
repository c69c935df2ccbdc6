"""Typed register array: every type of area has a register of its own, all with one validation policy.

R1  The register of type n is BASE + n; its value is the area's gpa and, in bit 0, enable. A registration is one exit.
R2  Bit 1 must be 0 and an enabled area must be completely RAM that the host can write; else #GP and no change.
R3  BASE + TYPES_AT + n is read-only and describes type n: its size in bits 32 to 63, its checksum below.
R4  A type that user space serves is checked by the kernel and stored by user space.
R5  The register reads as it was written, so that a migration carries it: 16 bytes for each, no new interface.
R6  INIT clears the registers of its vCPU, not those of the VM.
R7  The guest checks the outcome: #GP is a refusal. Writing 0 revokes.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.design import (  # isort: skip
    ACCEPTED, FAULT, HANDLED, REFUSED, VM, Backed, Feature, Get, Key, Program, Protocol, Set, StateEntry, ToUser, Vcpu,
    Wrmsr, area, pending, register,
)

BASE = 0x4B56_4D40
TYPES_AT = 0x20  # R3
ENABLED, RESERVED = 1, 2


class RegisterArray(Protocol):
    """One register for each type, and a second register that describes the type."""

    name = "register_array"
    title = "typed register array"
    msrs = frozenset(range(BASE, BASE + 2 * TYPES_AT))
    deflected = msrs

    def supports(self, feature: Feature) -> bool:
        return feature.name in self.by_name

    def index(self, feature: Feature) -> int:
        """Return n of the feature's type: the position, in this machine's list, of the feature with its name."""
        return list(self.by_name).index(feature.name)

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        outcome = yield Wrmsr(BASE + self.index(feature), gpa | ENABLED)  # R1
        return REFUSED if outcome is FAULT else ACCEPTED  # R7

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        yield Wrmsr(BASE + self.index(feature), 0)  # R7
        return ACCEPTED

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        n = msr - BASE
        if n >= len(self.features) or value & RESERVED:  # R2, R3: what has no type is read-only too
            return FAULT
        feature, gpa = self.features[n], value & ~ENABLED
        if value & ENABLED and not (yield Backed(gpa, feature.size)):
            return FAULT  # R2
        if feature.served_by == "user":
            yield ToUser("typed area")  # R4
        owner = VM if feature.scope == "vm" else cpu.index
        yield Set(register(owner, msr), value or None)  # R5
        yield Set(area(owner, feature.name), gpa if value & ENABLED else None)
        if value & ENABLED and feature.update_when in ("request", "registration"):
            yield Set(pending(cpu.index, feature.name), True)
            yield from self.deliver(cpu, feature)
        return HANDLED

    def on_rdmsr(self, cpu: Vcpu, msr: int, *, host_initiated: bool = False) -> Program:
        n = msr - BASE
        if n >= TYPES_AT:  # R3
            n -= TYPES_AT
            if n >= len(self.features):
                return 0
            return self.features[n].size << 32 | zlib.crc32(self.features[n].name.encode())
        owner = VM if n < len(self.features) and self.features[n].scope == "vm" else cpu.index
        return (yield Get(register(owner, msr))) or 0  # R5

    def on_init(self, cpu: Vcpu) -> Program:
        for n, feature in enumerate(self.features):
            if feature.scope == "vcpu":  # R6
                yield Set(register(cpu.index, BASE + n), None)
                yield Set(area(cpu.index, feature.name), None)

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        saved = ()
        for owner in (VM, *(cpu.index for cpu in cpus)):
            for n in range(len(self.features)):
                value = yield Get(register(owner, BASE + n))
                if value is not None:
                    saved += ((owner, BASE + n, value),)
        return saved

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        for owner, msr, value in saved:
            cpu = next((cpu for cpu in cpus if cpu.index == owner), cpus[0])
            yield from self.on_wrmsr(cpu, msr, value, host_initiated=True)

    def state(self, entries: Mapping[Key, Any], cpus: Sequence[Vcpu]) -> list[StateEntry]:
        keys = sorted(key for key in entries if key.kind == "register")
        ioctl = "KVM_GET/SET_MSRS"
        return [StateEntry(key.cpu, f"type {int(key.name) - BASE}", 16, 16, ioctl, True, True) for key in keys]
