"""Compares guest memory with a model that keeps one byte per dictionary entry, and tests the texts of its errors."""

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


@pytest.mark.parametrize(
    ("gpa", "size"),
    [(-PAGE_SIZE, PAGE_SIZE), (0, 0), (0, -PAGE_SIZE), (1, PAGE_SIZE), (0, 100), (GPA_LIMIT, PAGE_SIZE)],
)
def test_a_memslot_is_whole_pages_within_64_bits(gpa, size):
    memory = GuestMemory()
    with pytest.raises(GuestMemoryError) as error:
        memory.add(gpa, size)
    assert str(error.value) == (
        f"memslot {gpa:#x} with {size:#x} bytes: address and size must be multiples of 0x1000, "
        "the size positive, the end below 2^64"
    )
    assert memory.slots == ()


def test_the_error_of_an_access_outside_names_all_memslots():
    memory = GuestMemory()
    memory.add(0x4000, 0x1000, readonly=True)
    memory.add(0, 0x2000)
    with pytest.raises(GuestMemoryError) as error:
        memory.load(0x1FFC, 8)
    assert str(error.value) == (
        "load of 8 bytes at gpa 0x1ffc is not inside guest memory; memslots: 0x0..0x2000, 0x4000..0x5000 (read-only)"
    )


def test_the_error_of_an_access_without_any_memslot_says_so():
    with pytest.raises(GuestMemoryError) as error:
        GuestMemory().store(0x10, b"x")
    assert str(error.value) == "store of 1 bytes at gpa 0x10 is not inside guest memory; memslots: none"


def test_a_refused_move_changes_nothing():
    memory = GuestMemory()
    memory.add(0, PAGE_SIZE)
    memory.add(0x4000, PAGE_SIZE)
    memory.store(0x10, b"here")
    with pytest.raises(GuestMemoryError) as error:
        memory.move(0, 0x4000)
    assert str(error.value) == "memslot 0x4000..0x5000 overlaps memslot 0x4000..0x5000"
    assert memory.load(0x10, 4) == b"here"
    assert memory.dirty_log(0) == [0]
    assert [slot.gpa for slot in memory.slots] == [0, 0x4000]


def test_a_memslot_may_move_onto_part_of_itself():
    memory = GuestMemory()
    memory.add(0, 2 * PAGE_SIZE)
    memory.store(PAGE_SIZE, b"second page")
    memory.move(0, PAGE_SIZE)
    assert memory.load(2 * PAGE_SIZE, 11) == b"second page"
    assert memory.load(PAGE_SIZE, 11) == bytes(11)


def test_a_refused_write_writes_no_part_of_its_data():
    memory = GuestMemory()
    memory.add(0, PAGE_SIZE)
    assert memory.poke(PAGE_SIZE - 4, b"12345678", KERNEL) is False
    assert memory.load(PAGE_SIZE - 4, 4) == bytes(4)
    assert memory.dirty_log(0) == []


def test_reading_the_dirty_log_clears_it_for_that_memslot_only():
    memory = GuestMemory()
    memory.add(0, 2 * PAGE_SIZE)
    memory.add(0x4000, PAGE_SIZE)
    memory.store(PAGE_SIZE - 1, b"ab")  # one store, two pages
    memory.poke(0x4000, b"c", KERNEL)
    assert memory.dirty_log(0) == [0, PAGE_SIZE]
    assert memory.dirty_log(0) == []
    assert memory.dirty_log(0x4000) == [0x4000]


def test_writes_of_the_vmm_are_in_a_log_of_their_own():
    memory = GuestMemory()
    memory.add(0, 2 * PAGE_SIZE)
    assert memory.poke(PAGE_SIZE, b"result", USER)
    assert memory.dirty_log(0) == []
    assert memory.vmm_dirty() == [PAGE_SIZE]
    assert memory.vmm_dirty() == []


def test_a_memslot_without_log_records_nothing():
    memory = GuestMemory()
    memory.add(0, PAGE_SIZE, log_dirty=False)
    memory.store(0, b"x")
    assert memory.dirty_log(0) == []


def test_a_page_shared_and_never_written_is_private_after_its_memslot_was_replaced():
    memory = GuestMemory(encrypted=True)
    memory.add(0, PAGE_SIZE)
    memory.share(0, 1, shared=True)
    memory.delete(0)
    memory.add(0, PAGE_SIZE)
    assert memory.peek(0, 1, KERNEL) is None


def test_a_read_of_negative_size_is_outside_guest_memory():
    memory = GuestMemory()
    memory.add(0, PAGE_SIZE)
    with pytest.raises(GuestMemoryError) as error:
        memory.load(0, -1)
    assert str(error.value) == "load of -1 bytes at gpa 0x0 is not inside guest memory; memslots: 0x0..0x1000"


def test_both_logs_follow_a_memslot_that_moves():
    memory = GuestMemory()
    memory.add(0, 2 * PAGE_SIZE)
    memory.poke(0, b"vmm", USER)
    memory.poke(PAGE_SIZE, b"kvm", KERNEL)
    memory.move(0, 0x10000)
    assert memory.vmm_dirty() == [0x10000]
    assert memory.dirty_log(0x10000) == [0x11000]


def test_neither_log_contains_pages_of_a_deleted_memslot():
    memory = GuestMemory()
    memory.add(0, PAGE_SIZE)
    memory.add(0x4000, PAGE_SIZE)
    for gpa in (0, 0x4000):
        memory.poke(gpa, b"vmm", USER)
    memory.delete(0)
    assert memory.vmm_dirty() == [0x4000]


def test_a_moved_memslot_is_private_at_its_new_address():
    memory = GuestMemory(encrypted=True)
    memory.add(0, PAGE_SIZE)
    memory.share(0, PAGE_SIZE, shared=True)
    memory.move(0, 0x4000)
    assert memory.peek(0x4000, 1, KERNEL) is None
    assert memory.shared_pages == 0


def test_every_change_of_the_layout_is_counted_once():
    memory = GuestMemory()
    seen = [memory.generation]
    memory.add(0, PAGE_SIZE)
    seen.append(memory.generation)
    memory.set_readonly(0, True)
    seen.append(memory.generation)
    memory.delete(0)
    seen.append(memory.generation)
    assert seen == [0, 1, 2, 3]
    memory.add(0, PAGE_SIZE)
    memory.move(0, 2 * PAGE_SIZE)
    assert memory.generation > 4


def test_single_bytes_of_the_first_page_can_be_stored_and_loaded():
    memory = GuestMemory()
    memory.add(0, PAGE_SIZE)
    memory.store(0, b"\x01\x02")
    memory.store(PAGE_SIZE - 1, b"\x03")
    assert [memory.load(gpa, 1) for gpa in (0, 1, 2, PAGE_SIZE - 1)] == [b"\x01", b"\x02", b"\x00", b"\x03"]


def test_an_access_of_no_bytes_is_reachable_where_one_byte_is():
    memory = GuestMemory()
    memory.add(0, PAGE_SIZE)
    for gpa, is_reachable in ((0, True), (PAGE_SIZE - 1, True), (PAGE_SIZE, False), (GPA_LIMIT, False)):
        assert memory.reachable(gpa, 0, GUEST) is memory.reachable(gpa, 1, GUEST) is is_reachable


# -- many pages at once: the same as one after the other -----------------------------------------------

FRAMES = range(2, 6)


def paged(log_dirty=True):
    memory = GuestMemory(encrypted=True)
    memory.add(0, PAGE_SIZE)
    memory.add(PAGE_SIZE, 7 * PAGE_SIZE, log_dirty=log_dirty)
    return memory


def test_rows_equal_a_load_of_each_page():
    memory = paged()
    assert memory.pages.rows(FRAMES, 16, 8) == [bytes(8)] * len(FRAMES)
    memory.store(3 * PAGE_SIZE + 16, b"in three")
    memory.store(7 * PAGE_SIZE + 16, b"in seven")
    assert memory.pages.rows(FRAMES, 16, 8) == [memory.load(frame * PAGE_SIZE + 16, 8) for frame in FRAMES]
    assert memory.pages.rows(FRAMES, 16, 8)[1] == b"in three"
    assert memory.pages.rows(FRAMES, 18, 2)[1] == b" t"


def test_open_pages_are_the_memory_itself():
    memory = paged()
    for page in memory.open(FRAMES):
        page[0:2] = b"me"
    assert [memory.load(frame * PAGE_SIZE, 3) for frame in FRAMES] == [b"me\0"] * len(FRAMES)
    assert memory.load(PAGE_SIZE, 2) == bytes(2)


@pytest.mark.parametrize("side", [GUEST, KERNEL, USER])
@pytest.mark.parametrize("log_dirty", [True, False])
def test_marked_pages_are_logged_as_written_pages_are(side, log_dirty):
    one, other = paged(log_dirty), paged(log_dirty)
    for memory in (one, other):
        memory.share(0, 8 * PAGE_SIZE, True)
    one.mark(FRAMES, side)
    for frame in FRAMES:
        assert other.poke(frame * PAGE_SIZE, b"x", side)
    logs = [(memory.dirty_log(0), memory.dirty_log(PAGE_SIZE), memory.vmm_dirty()) for memory in (one, other)]
    assert logs[0] == logs[1]
    assert any(logs[0]) is (log_dirty or side is USER)


def test_only_shared_pages_of_the_given_range_are_counted():
    memory = paged()
    memory.share(PAGE_SIZE, 2 * PAGE_SIZE, True)
    assert [memory.shared_among(frames) for frames in (FRAMES, range(8), range(3, 8))] == [1, 2, 0]
