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
        (answer,) = yield from self._ring((((cpu, feature, gpa),),))
        return answer

    def register_all(self, cpu, areas):
        cpus = tuple(dict.fromkeys(own.cpu for own in areas))
        tables = tuple(tuple(own for own in areas if own.cpu == cpu) for cpu in cpus)
        answers = yield from self._ring(tables)
        return tuple(answers[cpus.index(own.cpu)] for own in areas)

    def _ring(self, tables):
        """Guest: write a table for each CPU's (cpu, feature, gpa), ring once, and read the results."""
        cpus = tuple(areas[0][0] for areas in tables)
        for areas, after in zip(tables, (*(cpu.descriptor for cpu in cpus[1:]), 0), strict=True):
            cpu, _, _ = areas[0]
            gpas = tuple(self._gpa_of(kind, areas) for kind in range(TYPES))
            yield Store(cpu.descriptor, TABLE(next=after, vcpu=cpu.index, result=PENDING, gpa=gpas))
        yield MmioWrite(DOORBELL, cpus[0].descriptor, 8)
        answers = ()
        for cpu in cpus:
            table = yield Load(cpu.descriptor, TABLE)
            answers += (ACCEPTED if table.result == 0 else REFUSED,)
        return answers

    def _gpa_of(self, kind, areas):
        return next((gpa for _, feature, gpa in areas if self.types[feature.name] == kind), 0)

    def unregister(self, cpu, feature, gpa):
        yield MmioWrite(REVOKE, cpu.index << 8 | self.types[feature.name], 4)
        return ACCEPTED

    def on_mmio_write(self, cpu, gpa, value, size):
        if gpa == DOORBELL and size == 8:
            yield from self._walk(value)
        elif gpa == REVOKE and size == 4:
            feature = self.of_type(value & 0xFF)
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
                feature = self.of_type(kind)
                if gpa and feature is not None:
                    done = yield from self.serve(table.vcpu, feature, gpa)
                    result = result or -done
            yield Store(at, table.replace(result=result))
            at = table.next
