"""What the shapes share: one registry entry for each area, carried by one interface, and dropped by INIT."""

from typing import ClassVar

from workbench.design import (
    DERIVED,
    KVM_EINVAL,
    PAGE_SIZE,
    VM,
    Backed,
    Get,
    Now,
    Protocol,
    Set,
    StateEntry,
    area,
    registry,
)


class Saved(Protocol):
    """A host that keeps each area's address under ``registry(owner, feature)``."""

    interface = "KVM_SET_ONE_REG"
    types: ClassVar = {"kvmclock": 1, "steal_time": 2, "async_pf": 3, "pv_eoi": 4, "wall_clock": 5}

    def supports(self, feature):
        return feature.name in self.types

    def of_type(self, kind):
        return next((own for own in self.features if self.types.get(own.name) == kind), None)

    def serve(self, index, feature, gpa):
        """Host: serve ``feature`` at ``gpa`` from now on (None: no longer); return 0 or -EINVAL."""
        owner = VM if feature.scope == "vm" else index
        if gpa is not None:
            crosses = gpa % PAGE_SIZE + feature.size > PAGE_SIZE
            if gpa % feature.align or crosses or not (yield Backed(gpa, feature.size)):
                return -KVM_EINVAL
        yield Set(registry(owner, feature.name), gpa)
        yield Set(area(owner, feature.name), gpa)
        if gpa is not None and feature.update_when == "registration":
            yield from feature.update(index, gpa, (yield Now()))
        return 0

    def on_init(self, cpu):
        for feature in self.features:
            if feature.scope == "vcpu":
                yield Set(registry(cpu.index, feature.name), None)
                yield Set(area(cpu.index, feature.name), None)

    def save(self, cpus):
        saved = ()
        for owner in (VM, *(cpu.index for cpu in cpus)):
            for feature in self.features:
                gpa = yield Get(registry(owner, feature.name))
                if gpa is not None:
                    saved += ((owner, feature.name, gpa),)
        return saved

    def restore(self, cpus, saved):
        for owner, name, gpa in saved:
            yield Set(registry(owner, name), gpa)
            yield Set(area(owner, name), gpa)

    def state(self, entries, cpus):
        return [
            StateEntry(key.cpu, f"area of {key.name}", 16, 16, self.interface, architected=False, carried=True)
            for key in sorted(entries, key=str)
            if key.kind not in DERIVED
        ]
