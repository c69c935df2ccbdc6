"""All areas of the VM in one exit: tables in memory, chained, and a doorbell of a device that the VMM serves.

R1  Each vCPU has a table {next, vCPU, result, an address for each type}; next is the address of the next table.
R2  An 8-byte write of the first table's address to the doorbell registers every address that is not 0.
R3  The result of a table is 0, or the first error; a table that the device does not reach keeps its result.
R4  A 4-byte write of vCPU << 8 | type to the second register of the device revokes one area.
R5  The device is the VMM's, and so is its state: no ioctl carries it, the VMM's own stream does.
"""

from tests.protocols.shapes.saved import Saved
from workbench.design import ACCEPTED, REFUSED, IoRange, Load, MmioWrite, Store, struct

DOORBELL = 0xFE00_0000
REVOKE = DOORBELL + 8
TYPES = 6
PENDING = 0xFFFF_FFFF
TABLE = struct("struct area_table { __u64 next; __u32 vcpu; __u32 result; __u64 gpa[6]; };")


class DoorbellBatch(Saved):
    name = "doorbell_batch"
    title = "tables in memory, one doorbell"
    mmio = (IoRange(DOORBELL, 16),)
    descriptor = TABLE
    batch = "vm"
    interface = "the VMM's device state"

    def register(self, cpu, feature, gpa):
        (answer,) = yield from self._ring([(cpu, {self.types[feature.name]: gpa})])
        return answer

    def register_all(self, cpu, areas):
        tables = {}
        for own in areas:
            tables.setdefault(own.cpu, {})[self.types[own.feature.name]] = own.gpa
        answers = yield from self._ring(list(tables.items()))
        by_cpu = dict(zip(tables, answers, strict=True))
        return tuple(by_cpu[own.cpu] for own in areas)

    def _ring(self, tables):
        """Guest: write the tables, ring once, and read the results."""
        following = [cpu.descriptor for cpu, _ in tables[1:]] + [0]
        for (cpu, wanted), after in zip(tables, following, strict=True):
            gpas = tuple(wanted.get(kind, 0) for kind in range(TYPES))
            yield Store(cpu.descriptor, TABLE(next=after, vcpu=cpu.index, result=PENDING, gpa=gpas))
        yield MmioWrite(DOORBELL, tables[0][0].descriptor, 8)
        answers = []
        for cpu, _ in tables:
            table = yield Load(cpu.descriptor, TABLE)
            answers.append(ACCEPTED if table.result == 0 else REFUSED)
        return tuple(answers)

    def unregister(self, cpu, feature, gpa):
        yield MmioWrite(REVOKE, cpu.index << 8 | self.types[feature.name], 4)
        return ACCEPTED

    def on_mmio_write(self, cpu, gpa, value, size):
        if gpa == DOORBELL and size == 8:
            yield from self._walk(value)
        elif gpa == REVOKE and size == 4:
            feature = self.named(value & 0xFF)
            if feature is not None:
                yield from self.serve(value >> 8, feature, None)

    def _walk(self, at):
        """Host: take up every table of the chain, at most one for each address seen."""
        seen = ()
        while at and at not in seen:
            seen = (*seen, at)
            table = yield Load(at, TABLE)
            if table is None:
                return
            result = 0
            for kind, gpa in enumerate(table.gpa):
                feature = self.named(kind)
                if gpa and feature is not None:
                    done = yield from self.serve(table.vcpu, feature, gpa)
                    result = result or -done
            yield Store(at, table.replace(result=result))
            at = table.next
