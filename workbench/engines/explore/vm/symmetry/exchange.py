"""One way of exchanging vCPUs: what becomes of every address, value, step, answer and name in a machine's model.

The rule kept here: an address goes to the same place in the block of the vCPU that takes over (either generation of
kernels), and what names a vCPU names the other one. A number is an address if it lies in such a block; in
memory, if it is a field of a descriptor, or an aligned word elsewhere. Whether that is right is never taken
on trust: every step of every program is compared with the renamed one
(``workbench.engines.explore.symmetry``). What cannot be renamed with certainty raises SymmetryError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from workbench.checking.environment import EnvironmentAction
from workbench.checking.ghosts import LEFT_BEHIND, Ghost, OwnerOf
from workbench.clayout.types import Scalar
from workbench.clayout.value import Value
from workbench.core.address_map import DESCRIPTOR, HOST_BASE, KERNEL_BASE, Unit
from workbench.core.event_steps import (
    Begin,
    Each,
    Enter,
    Init,
    KernelGone,
    OnHost,
    Pause,
    Reassign,
    Stop,
    Wait,
    WaitAll,
)
from workbench.core.host_state import Key
from workbench.core.memory import PAGE_SHIFT
from workbench.core.slots import EVENT, Slot
from workbench.core.steps import Load, Share, Store
from workbench.core.transition import decode, encode
from workbench.core.vcpu import Vcpu
from workbench.engines.explore.model import SymmetryError
from workbench.engines.explore.vm.cells import MemoryCell
from workbench.engines.explore.vm.machine import ExploredMachine
from workbench.engines.explore.vm.variables import MEMSLOTS, Behind, Dirty, Flag, Shared, Under

WORD = 8  # bytes of an address in memory


class PauseAs(NamedTuple):
    """Pause; from then to Resume, what the event would do to vCPU ``a`` it does to vCPU ``b``, for each pair (a, b).

    Only where symmetry is made use of.
    """

    names: tuple[tuple[int, int], ...]


class AnyNames(NamedTuple):
    """Any of these: Pause, or Pause under other names."""

    pauses: tuple[Any, ...]


class Exchange:
    """A renaming of vCPUs of one machine; ``mapping`` says which vCPU takes over whose part."""

    def __init__(self, machine: ExploredMachine, mapping: Mapping[int, int]) -> None:
        self.machine = machine
        self.scenario = machine.scenario
        self.mapping = dict(mapping)
        struct = self.scenario.protocol.descriptor
        self._descriptor = None if struct is None else struct.on(self.scenario.abi)

    def cpu(self, index: int) -> int:
        """The vCPU that takes over the part of vCPU ``index``; the VM stays what it is."""
        return self.mapping.get(index, index)

    # -- addresses -------------------------------------------------------------------------------------

    def address(self, number: int) -> int:
        """What becomes of a number, which may be an address with control bits."""
        addresses = self.scenario.addresses
        if addresses.belongs_to_host(number):
            block, offset = divmod(number - HOST_BASE, addresses.host_block)
            return addresses.host_memory(self.cpu(block - 1)) + offset
        generation, rest = divmod(number - KERNEL_BASE, addresses.memslot_size)
        if not 0 <= generation < self.scenario.kernels:
            return number
        block, offset = divmod(rest, addresses.block)
        return addresses.block_of(generation, self.cpu(block - 1)) + offset

    def _range(self, gpa: int, size: int) -> int:
        """What becomes of the address of a range, which must stay in one piece."""
        moved = self.address(gpa)
        if self.address(gpa + size - 1) != moved + size - 1:
            raise SymmetryError(f"{gpa:#x}+{size:#x} lies in the memory of several vCPUs")
        return moved

    def content(self, gpa: int, data: bytes) -> bytes:
        """What becomes of bytes that lie at ``gpa``."""
        found = bytearray(data)
        for offset, size in self._numbers(gpa, len(data)):
            number = int.from_bytes(data[offset : offset + size], "little")
            if (moved := self.address(number)) != number:
                found[offset : offset + size] = moved.to_bytes(size, "little")
        return bytes(found)

    def _numbers(self, gpa: int, size: int) -> Iterator[tuple[int, int]]:
        """Where in [gpa, gpa+size) an address may be: (offset, size)."""
        unit = self.scenario.unit_at(gpa)
        if unit is not None and unit.what == DESCRIPTOR and self._descriptor is not None:
            begin = self.scenario.addresses.gpa(unit) - gpa
            numbers = ((begin + field.offset, field.size) for field in self._descriptor.fields if field.size <= WORD)
        else:
            numbers = ((offset, WORD) for offset in range(-gpa % WORD, size, WORD))
        return (place for place in numbers if place[0] >= 0 and sum(place) <= size)

    # -- variables -------------------------------------------------------------------------------------

    def slot(self, slot: Slot) -> Slot:
        """What becomes of a slot."""
        return slot if slot == EVENT else slot._replace(cpu=self.cpu(slot.cpu))

    def variable(self, name: Any) -> Any:
        """What becomes of a variable."""
        if isinstance(name, MemoryCell):
            return self._atom(name)
        if isinstance(name, Under):
            return Under(self._range(name.gpa, name.size), name.size)
        if isinstance(name, Behind):
            return self._known(Behind(self._range(name.gpa, name.size), name.size))
        if isinstance(name, Dirty):
            return self._known(Dirty(self.address(name.frame << PAGE_SHIFT) >> PAGE_SHIFT))
        if isinstance(name, Shared):
            return Shared(self.address(name.frame << PAGE_SHIFT) >> PAGE_SHIFT)
        renamed = self.value(None, name)
        return self._known(renamed) if name in self.machine.cells.names else renamed

    def _known(self, name: Any) -> Any:
        self.machine.cells.know(name)
        return name

    def _atom(self, cell: MemoryCell) -> MemoryCell:
        moved = MemoryCell(self._range(cell.gpa, cell.size), cell.size)
        if moved.gpa != cell.gpa:
            for piece in self.machine.cells.of(moved.gpa, moved.size):  # cut here what is cut there
                self.machine.cells.of(piece.gpa - moved.gpa + cell.gpa, piece.size)
        return moved

    # -- values ----------------------------------------------------------------------------------------

    def value(self, name: Any, value: Any) -> Any:
        """What becomes of a value that variable ``name`` holds (None: nobody in particular)."""
        if value is not None and isinstance(name, MemoryCell | Under | Behind):
            data = value.to_bytes(name.size, "little")
            return int.from_bytes(self.content(name.gpa, data), "little")
        if name == MEMSLOTS:
            return self._memslots(value)
        if name == LEFT_BEHIND:
            return tuple(sorted(map(self.plain, value), key=repr))
        if isinstance(name, Ghost) and value and name.name == "fetched":
            return tuple(((self.address(gpa), size), self.content(gpa, data)) for (gpa, size), data in value)
        return self.plain(value)

    def plain(self, value: Any) -> Any:
        """What becomes of a value, by its type alone."""
        if isinstance(value, bool):
            return value
        if isinstance(value, int):
            return self.address(value)
        if isinstance(value, tuple):
            return self._tuple(value)
        if isinstance(value, frozenset):
            return frozenset(map(self.plain, value))
        if isinstance(value, bytes):
            return self.content(0, value)
        if isinstance(value, Value):
            numbers = {field.name: self.plain(value[field.name]) for field in value.layout.fields}
            return value.replace(**{name: moved for name, moved in numbers.items() if moved != value[name]})
        if isinstance(value, Vcpu):
            own, hosts = self.address(value.descriptor), self.address(value.host_memory)
            return value.but(index=self.cpu(value.index), descriptor=own, host_memory=hosts)
        return value

    def _tuple(self, value: tuple[Any, ...]) -> Any:
        kind: Any = type(value)
        if kind in _NAMING_A_VCPU:
            return value._replace(cpu=self.cpu(value.cpu))  # type: ignore[attr-defined]
        if kind is OwnerOf:
            return OwnerOf(self.plain(value.unit))  # type: ignore[attr-defined]
        renamed = map(self.plain, value)
        return kind(*renamed) if hasattr(value, "_fields") else kind(renamed)

    def _memslots(self, slots: Any) -> Any:
        """Memslots stay where they are; they must hold the memory of all that are exchanged, or of none."""
        addresses = self.scenario.addresses
        for gpa, size, _ in slots:
            for generation in range(self.scenario.kernels):
                blocks = [addresses.block_of(generation, cpu) for cpu in self.mapping]
                inside = {gpa <= block and block + addresses.block <= gpa + size for block in blocks}
                touched = {gpa < block + addresses.block and block < gpa + size for block in blocks}
                if len(inside | touched) > 1:
                    raise SymmetryError(f"the memslot at {gpa:#x} holds the memory of some vCPUs and not of others")
        return slots

    # -- programs and steps ----------------------------------------------------------------------------

    def program(self, name: Any) -> Any:
        """What becomes of a program, by its name."""
        if isinstance(name, EnvironmentAction):
            renamed: Any = name._replace(cpu=self.cpu(name.cpu), owner=self.cpu(name.owner))
        else:
            renamed = name._replace(cpu=self.cpu(name.cpu))
        if renamed not in self.machine.programs:
            raise SymmetryError(f"there is no program {str(renamed)!r} beside {str(name)!r}")
        return renamed

    def step(self, step: Any) -> Any:
        """What becomes of a step; what it names without an order is put in one."""
        if type(step) is tuple:
            side, inner = step
            return side, self._inner(inner)
        action = _EVENT_STEPS.get(type(step))
        return self.plain(step) if action is None else action(self, step)

    def _inner(self, step: Any) -> Any:
        if type(step) is Store:
            return self._store(step)
        if type(step) is Load:
            return step._replace(gpa=self.address(step.gpa))
        if type(step) is Share:
            return step._replace(gpa=self._range(step.gpa, step.size))
        return self.plain(step)

    def _store(self, step: Store) -> Store:
        data = encode(step)
        wanted = self.content(step.gpa, data)
        value = wanted if type(step.value) is bytes else self.plain(step.value)
        renamed = Store(self.address(step.gpa), value, step.what)
        cells = self.machine.cells.within(step.gpa, len(data))
        parts = [self.content(a.gpa, data[a.gpa - step.gpa : a.gpa - step.gpa + a.size]) for a in cells]
        is_known = sum(cell.size for cell in cells) == len(data)
        if encode(renamed) != wanted or (is_known and b"".join(parts) != wanted):
            raise SymmetryError(f"an address is stored at {step.gpa:#x} where none can be recognised")
        return renamed

    def answer(self, step: Any, answer: Any) -> Any:
        """What becomes of the answer to a step."""
        if type(step) is not tuple:
            return self.step(answer) if isinstance(step, Each | AnyNames) else self.plain(answer)
        inner = step[1]
        if type(inner) is Load and answer is not None:
            data = encode(Store(inner.gpa, answer, inner.what if isinstance(inner.what, Scalar) else None))
            return decode(inner.what, self.content(inner.gpa, data))
        return self.plain(answer)

    def _each(self, step: Each) -> Each:
        turns = (tuple(map(self.step, turn)) for turn in step.turns)
        return Each(tuple(sorted(turns, key=lambda turn: turn[0].cpu)))

    def _names(self, step: Pause | PauseAs) -> Pause | PauseAs:
        before = dict(step.names) if isinstance(step, PauseAs) else {cpu: cpu for cpu in self.mapping}
        names = tuple((cpu, self.cpu(name)) for cpu, name in sorted(before.items()))
        return PauseAs(names) if any(cpu != name for cpu, name in names) else Pause()


#: Values that name one vCPU in a field of that name.
_NAMING_A_VCPU = frozenset({Key, Flag, Ghost, Unit, Wait, Stop, Enter, Init})

_EVENT_STEPS: dict[type, Callable[[Exchange, Any], Any]] = {
    Begin: lambda to, step: Begin(to.cpu(step.cpu), to.program(step.program)),
    WaitAll: lambda to, step: WaitAll(tuple(sorted(map(to.cpu, step.cpus)))),
    KernelGone: lambda to, step: KernelGone(tuple(sorted(map(to.cpu, step.cpus)))),
    Reassign: lambda to, step: step._replace(units=tuple(sorted(map(to.plain, step.units)))),
    Each: Exchange._each,
    OnHost: lambda to, step: step,  # what it starts is compared step by step
    Pause: Exchange._names,
    PauseAs: Exchange._names,
    AnyNames: lambda to, step: AnyNames(tuple(sorted(map(to.step, step.pauses), key=repr))),
}
