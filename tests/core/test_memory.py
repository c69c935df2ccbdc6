"""Compares guest memory with a model that keeps one byte per dictionary entry."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from workbench.core.memory import GPA_LIMIT, PAGE_SIZE, GuestMemory
from workbench.core.steps import GUEST, KERNEL, USER
from workbench.errors import GuestMemoryError

# Few pages, so that operations meet: neighbours, holes, and the end of the address space.
PAGES = [*range(5), *range((1 << 52) - 2, 1 << 52)]
BASES = [page * PAGE_SIZE for page in PAGES]

page_gpas = st.sampled_from(BASES)
# Near page borders, where mistakes are, and around the whole of each page.
offsets = st.one_of(st.sampled_from([0, 1, 4080, 4090, 4095]), st.integers(0, PAGE_SIZE - 1))
gpas = st.builds(lambda base, offset: base + offset, page_gpas, offsets)
sizes = st.sampled_from([1, 2, 8, 24, PAGE_SIZE, PAGE_SIZE + 1])
contents = st.builds(lambda size, seed: bytes((seed + 7 * n) % 256 for n in range(size)), sizes, st.integers(1, 250))
sides = st.sampled_from([GUEST, KERNEL, USER])


class ModelSlot:
    """A memslot in the model: its pages by number."""

    def __init__(self, gpa, size, readonly):
        self.gpa, self.size, self.readonly, self.dirty = gpa, size, readonly, set()

    def __str__(self):
        return f"{self.gpa:#x}..{self.gpa + self.size:#x}" + (" (read-only)" if self.readonly else "")

    def pages(self):
        return set(range(self.gpa // PAGE_SIZE, (self.gpa + self.size) // PAGE_SIZE))


class MemoryAgainstModel(RuleBasedStateMachine):
    """Applies every operation to guest memory and model; compares every answer and every error."""

    @initialize(encrypted=st.booleans())
    def begin(self, encrypted):
        self.memory = GuestMemory(encrypted=encrypted)
        self.encrypted = encrypted
        self.slots: dict[int, ModelSlot] = {}
        self.bytes: dict[int, int] = {}
        self.shared: set[int] = set()
        self.by_vmm: set[int] = set()
        self.add(gpa=PAGE_SIZE, pages=2, readonly=False)

    # -- the model ---------------------------------------------------------------------------------

    def slot_of(self, gpa):
        return next((s for s in self.slots.values() if s.gpa <= gpa < s.gpa + s.size), None)

    def names(self):
        return ", ".join(str(self.slots[gpa]) for gpa in sorted(self.slots)) or "none"

    def touched(self, gpa, size):
        return range(gpa // PAGE_SIZE, (gpa + size - 1) // PAGE_SIZE + 1)

    def reachable(self, gpa, size, side, write):
        for page in self.touched(gpa, size):
            slot = self.slot_of(page * PAGE_SIZE)
            if slot is None or (write and slot.readonly and side is not USER):
                return False
            if self.encrypted and side is not GUEST and page not in self.shared:
                return False
        return True

    def model_read(self, gpa, size):
        return bytes(self.bytes.get(gpa + n, 0) for n in range(size))

    def model_write(self, gpa, data, side):
        self.bytes.update({gpa + n: byte for n, byte in enumerate(data)})
        for page in self.touched(gpa, len(data)):
            (self.by_vmm if side is USER else self.slot_of(page * PAGE_SIZE).dirty).add(page)

    def refused(self, text, operation, *arguments, **options):
        with pytest.raises(GuestMemoryError) as error:
            operation(*arguments, **options)
        assert str(error.value) == text

    def no_slot(self, gpa):
        return f"no memslot begins at gpa {gpa:#x}; memslots: {self.names()}"

    def outside(self, verb, size, gpa):
        return f"{verb} of {size} bytes at gpa {gpa:#x} is not inside guest memory; memslots: {self.names()}"

    def overlap(self, gpa, size, besides=None):
        taken = [s for _, s in sorted(self.slots.items()) if s is not besides]
        return next((s for s in taken if gpa < s.gpa + s.size and s.gpa < gpa + size), None)

    # -- memslots ----------------------------------------------------------------------------------

    @rule(gpa=page_gpas, pages=st.integers(1, 3), readonly=st.booleans())
    def add(self, gpa, pages, readonly):
        size = pages * PAGE_SIZE
        other = self.overlap(gpa, size)
        if gpa + size > GPA_LIMIT:
            text = (
                f"memslot {gpa:#x} with {size:#x} bytes: address and size must be multiples of 0x1000, "
                "the size positive, the end below 2^64"
            )
            self.refused(text, self.memory.add, gpa, size, readonly=readonly)
        elif other:
            text = f"memslot {gpa:#x}..{gpa + size:#x} overlaps memslot {other}"
            self.refused(text, self.memory.add, gpa, size, readonly=readonly)
        else:
            before = self.memory.generation
            self.memory.add(gpa, size, readonly=readonly)
            self.slots[gpa] = ModelSlot(gpa, size, readonly)
            assert self.memory.generation > before

    @rule(gpa=page_gpas)
    def delete(self, gpa):
        if gpa not in self.slots:
            self.refused(self.no_slot(gpa), self.memory.delete, gpa)
            return
        self.memory.delete(gpa)
        gone = self.slots.pop(gpa).pages()
        self.bytes = {at: byte for at, byte in self.bytes.items() if at // PAGE_SIZE not in gone}
        self.shared -= gone
        self.by_vmm -= gone

    @rule(gpa=page_gpas, to=page_gpas)
    def move(self, gpa, to):
        slot = self.slots.get(gpa)
        if slot is None:
            self.refused(self.no_slot(gpa), self.memory.move, gpa, to)
            return
        other = self.overlap(to, slot.size, besides=slot)
        if to + slot.size > GPA_LIMIT or other:
            with pytest.raises(GuestMemoryError):
                self.memory.move(gpa, to)
            return
        self.memory.move(gpa, to)
        old = slot.pages()
        del self.slots[gpa]
        self.bytes = {at + (to - gpa if at // PAGE_SIZE in old else 0): b for at, b in self.bytes.items()}
        shift = (to - gpa) // PAGE_SIZE
        self.by_vmm = {page + (shift if page in old else 0) for page in self.by_vmm}
        self.shared -= old
        slot.gpa, slot.dirty = to, {page + shift for page in slot.dirty}
        self.slots[to] = slot

    @rule(gpa=page_gpas, readonly=st.booleans())
    def set_readonly(self, gpa, readonly):
        if gpa not in self.slots:
            self.refused(self.no_slot(gpa), self.memory.set_readonly, gpa, readonly)
            return
        self.memory.set_readonly(gpa, readonly)
        self.slots[gpa].readonly = readonly
        self.log_is_lost(gpa)

    @rule(gpa=page_gpas)
    def give_other_pages(self, gpa):
        if gpa not in self.slots:
            self.refused(self.no_slot(gpa), self.memory.give_other_pages, gpa)
            return
        before = self.memory.generation
        self.memory.give_other_pages(gpa)
        self.log_is_lost(gpa)
        assert self.memory.generation > before

    def log_is_lost(self, gpa):
        self.slots[gpa].dirty.clear()
        self.by_vmm -= self.slots[gpa].pages()

    # -- accesses ----------------------------------------------------------------------------------

    @rule(gpa=gpas, size=sizes)
    def load(self, gpa, size):
        if self.reachable(gpa, size, GUEST, write=False):
            assert self.memory.load(gpa, size) == self.model_read(gpa, size)
        else:
            self.refused(self.outside("load", size, gpa), self.memory.load, gpa, size)

    @rule(gpa=gpas, data=contents)
    def store(self, gpa, data):
        size = len(data)
        if self.reachable(gpa, size, GUEST, write=True):
            self.memory.store(gpa, data)
            self.model_write(gpa, data, GUEST)
        elif self.reachable(gpa, size, GUEST, write=False):
            text = f"store of {size} bytes at gpa {gpa:#x}: the memslot is read-only"
            self.refused(text, self.memory.store, gpa, data)
        else:
            self.refused(self.outside("store", size, gpa), self.memory.store, gpa, data)

    @rule(gpa=gpas, size=sizes, side=sides)
    def peek(self, gpa, size, side):
        seen = self.model_read(gpa, size) if self.reachable(gpa, size, side, write=False) else None
        assert self.memory.peek(gpa, size, side) == seen

    @rule(gpa=gpas, data=contents, side=sides)
    def poke(self, gpa, data, side):
        can = self.reachable(gpa, len(data), side, write=True)
        assert self.memory.reachable(gpa, len(data), side, write=True) is can
        assert self.memory.poke(gpa, data, side) is can
        if can:
            self.model_write(gpa, data, side)

    # -- attributes and logs -----------------------------------------------------------------------

    @rule(gpa=gpas, size=sizes, shared=st.booleans())
    def share(self, gpa, size, shared):
        pages = set(self.touched(gpa, size))
        changed = pages - self.shared if shared else pages & self.shared
        assert self.memory.share(gpa, size, shared) == len(changed)
        self.shared = self.shared | pages if shared else self.shared - pages
        assert self.memory.shared_pages == len(self.shared)

    @rule(gpa=page_gpas)
    def dirty_log(self, gpa):
        if gpa not in self.slots:
            self.refused(self.no_slot(gpa), self.memory.dirty_log, gpa)
            return
        slot = self.slots[gpa]
        assert self.memory.dirty_log(gpa) == [page * PAGE_SIZE for page in sorted(slot.dirty)]
        slot.dirty.clear()

    @rule()
    def vmm_dirty(self):
        assert self.memory.vmm_dirty() == [page * PAGE_SIZE for page in sorted(self.by_vmm)]
        self.by_vmm.clear()

    @precondition(lambda self: hasattr(self, "memory"))
    @invariant()
    def same_slots(self):
        seen = [(slot.gpa, slot.size, slot.readonly) for slot in self.memory.slots]
        assert seen == [(s.gpa, s.size, s.readonly) for _, s in sorted(self.slots.items())]

    def teardown(self):
        for gpa, slot in getattr(self, "slots", {}).items():
            assert self.memory.load(gpa, slot.size) == self.model_read(gpa, slot.size)
            assert self.memory.dirty_log(gpa) == [page * PAGE_SIZE for page in sorted(slot.dirty)]
            assert self.memory.find(gpa + slot.size - 1).gpa == gpa


TestMemoryAgainstModel = MemoryAgainstModel.TestCase
TestMemoryAgainstModel.settings = settings(max_examples=150, stateful_step_count=40)
