"""Reads and writes of lanes, buffered until the whole batch is known to be sound.

Two rules keep the lanes independent of each other, so that a batch gives the same result as running them one by one:

* memory: all addresses have the same stride, and all bytes touched lie within one stride of each other. A byte of
  one lane is then never a byte of another;
* entries and notes: a key names the lane's own vCPU, or it is one that no lane writes.

Any other access raises Diverged, before anything is written.
"""

from array import array
from collections.abc import Callable, Hashable, Iterable, Sequence
from enum import Enum
from itertools import chain, groupby, repeat
from operator import eq
from typing import Any

from workbench.core.host_state import Key
from workbench.core.memory import OFFSET_MASK, PAGE_SHIFT, PAGE_SIZE, GuestMemory
from workbench.core.steps import GUEST, Side
from workbench.engines.simulate.lanes.lane_bytes import Atom, Part, atoms_of, together
from workbench.engines.simulate.lanes.values import Batch, Diverged, Lane

#: Types without parts that could be numbers.
_PLAIN = (type(None), bool, int, str, bytes)
WORD = 8  # bytes: the widest number that is recognised in memory


def lifted(batch: Batch, values: Sequence[Any]) -> Any:
    """Return the one value that represents ``values``, one of each lane; raise Diverged if there is none."""
    kinds = set(map(type, values))
    kind, first = kinds.pop(), values[0]
    if kinds:
        batch.refuse("values of different types")
    if kind is int:
        stride = values[1] - first
        if all(map(eq, values, batch.lane(first, stride).values if stride else repeat(first))):
            return batch.lane(first, stride)
    elif issubclass(kind, tuple):
        if len(set(map(len, values))) == 1:
            return _like(first, [lifted(batch, column) for column in zip(*values, strict=True)])
    elif values.count(first) == batch.count:
        return first
    return batch.refuse("values with no common rule")


def spread(value: Any) -> Iterable[Any]:
    """Return an iterator over the value in each lane, endless if it is the same in all."""
    if isinstance(value, Lane):
        return value.values
    if not isinstance(value, tuple) or not has_lane(value):
        return repeat(value)
    columns = zip(*map(spread, value), strict=False)
    return columns if type(value) is tuple else (_like(value, parts) for parts in columns)


def has_lane(value: Any) -> bool:
    """Tell whether a value differs from lane to lane; raise Diverged for a type whose parts are unknown."""
    if type(value) is tuple or hasattr(type(value), "_make"):
        return sum(map(has_lane, value)) > 0  # all parts are checked
    if type(value) in _PLAIN or isinstance(value, Enum):
        return False
    if not isinstance(value, Lane):
        raise Diverged(f"a value of type {type(value).__name__}")
    return True


def _like(pattern: Any, parts: Iterable[Any]) -> Any:
    return type(pattern)._make(parts) if hasattr(pattern, "_make") else tuple(parts)


class LaneEntries:
    """A view of a dictionary of the machine (host entries, notes) from all lanes at once."""

    def __init__(self, real: dict[Hashable, Any], index: Lane, keys: Callable[[str, Any], list[Key]]) -> None:
        self.real = real
        self.index = index
        self.keys = keys  # the keys of all lanes for a kind and a name
        self.known: dict[tuple[str, Any], Any] = {}
        self.written: dict[tuple[str, Any], Any] = {}  # in the order of the real dictionary
        self.dropped: set[tuple[str, Any]] = set()

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the entry of each lane under ``key``; ``default`` where no lane has one."""
        name = self._own(key)
        if name is None:
            return self.real.get(key, default)
        if name not in self.known:
            self.known[name] = lifted(self.index.batch, list(map(self.real.get, self.keys(*name))))
        return default if self.known[name] is None else self.known[name]

    def __setitem__(self, key: Any, value: Any) -> None:
        """Set the entry of each lane under ``key``."""
        name = self._written_by_lanes(key)
        has_lane(value)
        self.known[name] = self.written[name] = value

    def pop(self, key: Any, default: None) -> None:
        """Drop the entry of each lane under ``key``."""
        name = self._written_by_lanes(key)
        self.written.pop(name, None)
        self.known[name] = default
        self.dropped.add(name)

    def commit(self) -> None:
        """Apply to the real dictionary what every lane did, in the order of the lanes."""
        for name in self.dropped:
            for key in self.keys(*name):
                self.real.pop(key, None)
        keys = zip(*[self.keys(*name) for name in self.written], strict=True)
        values = zip(*map(spread, self.written.values()), strict=False)
        self.real.update(zip(chain.from_iterable(keys), chain.from_iterable(values), strict=False))

    def _written_by_lanes(self, key: Any) -> tuple[str, Any]:
        return self._own(key) or self.index.refuse()

    def _own(self, key: Any) -> tuple[str, Any] | None:
        """Return kind and name of a key of the lane's own vCPU; None for a key of any other owner."""
        if type(key) is not Key or type(key.kind) is not str or type(key.name) not in (str, int):
            self.index.refuse()
        owner = key.cpu
        if self.index.is_same(owner):
            return key.kind, key.name
        if type(owner) is not int or owner in self.index.values:
            self.index.refuse()
        return None


class LaneMemory:
    """A view of guest memory from all lanes at once: byte ``gpa`` of the first lane represents that of each."""

    def __init__(self, real: GuestMemory, batch: Batch) -> None:
        self.real = real
        self.batch = batch
        self.stride = 0  # of every address; known from the first access
        self.low = self.high = 0  # first gpa touched, and the one after the last
        self.known: dict[int, Atom] = {}
        self.written: set[int] = set()
        self.marks: set[tuple[int, Side]] = set()  # (page frame in the first lane, who wrote)
        self.shared: set[int] = set()  # page frames in the first lane

    def peek(self, gpa: Any, size: Any, side: Side) -> Any:
        """Return the bytes of each lane at ``gpa``; None where no lane can read."""
        if not self.reachable(gpa, size, side):
            return None
        at: int = gpa.first
        for word in range(at - at % WORD, at + size, WORD):
            if not self.known.keys() >= set(range(max(at, word), min(at + size, word + WORD))):
                self._fetch(word)
        return together([self.known[byte] for byte in range(at, at + size)])

    def poke(self, gpa: Any, data: Any, side: Side, *, logged: bool = True) -> bool:
        """Write ``data`` at ``gpa`` in each lane; False where no lane can. Unless ``logged``, no log shows it."""
        if not self.reachable(gpa, len(data), side, write=True):
            return False
        touched = range(gpa.first, gpa.first + len(data))
        self.known.update(zip(touched, atoms_of(data), strict=True))
        self.written.update(touched)
        if logged:
            self.mark_dirty(gpa, len(data), side)
        return True

    def mark_dirty(self, gpa: Any, size: Any, side: Side) -> None:
        """Enter pages of each lane in the log of ``side``."""
        if not isinstance(gpa, Lane) or type(size) is not int or size <= 0:
            self.batch.refuse("pages that are not those of each lane")
        self._keep_apart(gpa, size)
        self.marks.update((byte >> PAGE_SHIFT, side) for byte in range(gpa.first, gpa.first + size))

    def reachable(self, gpa: Any, size: Any, side: Side, *, write: bool = False) -> bool:
        """Tell whether each lane can access its [gpa, gpa + size); Diverged if only some can or lanes may overlap."""
        if not isinstance(gpa, Lane) or type(size) is not int or size <= 0:
            self.batch.refuse("an access that is not one of each lane")
        self._keep_apart(gpa, size)
        slot = self.real.find(gpa.first)
        if slot is None or gpa.last + size > slot.end or (write and slot.readonly):
            self._nowhere(gpa, size)
            return False
        if self.real.encrypted and side is not GUEST:
            pages = range(gpa.first >> PAGE_SHIFT, (gpa.first + size - 1 >> PAGE_SHIFT) + 1)
            return all(map(self._is_shared, pages))
        return True

    def share(self, gpa: Any, size: Any, shared: Any) -> int:
        """Make the pages of each lane shared; how many pages that changes is not known before the end."""
        if not isinstance(gpa, Lane) or type(size) is not int or size <= 0 or shared is not True:
            self.batch.refuse("pages that change hands")
        self._keep_apart(gpa, size)
        self.shared.update(range(gpa.first >> PAGE_SHIFT, (gpa.first + size - 1 >> PAGE_SHIFT) + 1))
        return 0

    def _keep_apart(self, gpa: Lane, size: int) -> None:
        """Raise Diverged unless this access and all before it are within one stride of each other."""
        self.stride = self.stride or gpa.stride
        self.low = min(self.low, gpa.first) if self.high else gpa.first
        self.high = max(self.high, gpa.first + size)
        if gpa.stride != self.stride or self.stride % PAGE_SIZE or self.stride < self.high - self.low:
            self.batch.refuse("an access that may meet another lane's")

    def _nowhere(self, gpa: Lane, size: int) -> None:
        """Raise Diverged if a memslot contains any byte of any lane."""
        if any(slot.gpa < gpa.last + size and gpa.first < slot.end for slot in self.real.slots):
            self.batch.refuse("an access that only some lanes can make")

    def _is_shared(self, page: int) -> bool:
        if page in self.shared:
            return True
        shared = self.real.shared_among(self.frames(page))
        if shared not in (0, self.batch.count):
            self.batch.refuse("a page that only some lanes have shared")
        return shared > 0

    def frames(self, frame: int) -> range:
        """Return the page frames of all lanes, given that of the first."""
        pages = self.stride >> PAGE_SHIFT
        return range(frame, frame + pages * self.batch.count, pages)

    def commit(self) -> None:
        """Write to guest memory what every lane wrote."""
        for frame, run in groupby(sorted(self.written), lambda byte: byte >> PAGE_SHIFT):
            pages = self.real.open(self.frames(frame))
            for piece in _pieces(list(run), self.known):
                begin = piece[0] & OFFSET_MASK
                end = begin + len(piece)
                for page, data in zip(pages, self._column([self.known[byte] for byte in piece]), strict=False):
                    page[begin:end] = data
        for frame in self.shared:
            for one in self.frames(frame):
                self.real.share(one << PAGE_SHIFT, 1, True)
        for frame, side in self.marks:
            self.real.mark(self.frames(frame), side)

    def _column(self, atoms: list[Atom]) -> Iterable[bytes]:
        """Return these bytes of each lane: ordinary bytes, or parts of one number."""
        head = atoms[0]
        if not isinstance(head, Part):
            return repeat(bytes(atoms))  # type: ignore[arg-type]
        data = array("Q", head.number.values).tobytes()
        first, size = head.byte, len(atoms)
        return [data[at : at + size] for at in range(first, len(data), WORD)]

    def _fetch(self, word: int) -> None:
        """Read eight bytes of memory of every lane; only those that no lane has written are used."""
        rows = self.real.pages.rows(self.frames(word >> PAGE_SHIFT), word & OFFSET_MASK, WORD)
        for byte, atom in enumerate(self._atoms(rows), word):
            self.known.setdefault(byte, atom)

    def _atoms(self, rows: list[bytes]) -> Iterable[Atom]:
        """Return the bytes of these rows: the same in all lanes, or numbers of eight, four, two or one byte."""
        if rows.count(rows[0]) == len(rows):
            return rows[0]
        size = len(rows[0])
        values = [int.from_bytes(row, "little") for row in rows]
        stride = values[1] - values[0]
        number = self.batch.lane(values[0], stride)
        if stride and values == list(number.values):
            return [Part(number, index) for index in range(size)]
        if size == 1:
            self.batch.refuse("memory with no common rule")
        half = size // 2
        return [*self._atoms([row[:half] for row in rows]), *self._atoms([row[half:] for row in rows])]


def _pieces(run: list[int], known: dict[int, Atom]) -> Iterable[list[int]]:
    """Split addresses into contiguous runs, each of ordinary bytes or of parts of one number."""
    piece: list[int] = []
    for byte in run:
        if piece and (byte != piece[-1] + 1 or not _continues(known[piece[-1]], known[byte])):
            yield piece
            piece = []
        piece.append(byte)
    if piece:
        yield piece


def _continues(one: Atom, two: Atom) -> bool:
    if isinstance(one, Part) and isinstance(two, Part):
        return one.number is two.number and two.byte == one.byte + 1
    return not isinstance(one, Part) and not isinstance(two, Part)
