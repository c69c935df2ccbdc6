"""Write the restore that tolerates a damaged stream."""

from collections.abc import Callable
from typing import Any, NamedTuple

from workbench.classroom.answers import FILE, design_of
from workbench.classroom.exercise import Exercise, Judged
from workbench.core.host_state import Key, area
from workbench.core.rules.place import by_author, raised
from workbench.engines.simulate.by_hand import RAM_END, Bench
from workbench.errors import WorkbenchError
from workbench.features import choose
from workbench.measure.variants import Variant

FEATURE, VCPUS = "steal_time", 2
AREAS = {0: 0x1000, 1: 0x2000}


class Stream(NamedTuple):
    """What arrives at the destination: the saved items, damaged; and the vCPUs whose items are still intact."""

    what: str
    damaged: Callable[[tuple[Any, ...]], tuple[Any, ...]]
    intact: tuple[int, ...]


def _first(change: Callable[[Any], Any]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Return a damage that changes the first item."""
    return lambda saved: (change(saved[0]), *saved[1:])


#: The streams that are tried, the intact one first. An item is (vCPU, address).
STREAMS = (
    Stream("the stream as it was saved", lambda saved: saved, (0, 1)),
    Stream("a stream in reverse order", lambda saved: saved[::-1], (0, 1)),
    Stream("a stream that ends early", lambda saved: saved[:1], (0,)),
    Stream("an empty stream", lambda saved: (), ()),
    Stream("a first item whose address is beyond the end of RAM", _first(lambda item: (item[0], RAM_END)), (1,)),
    Stream("a first item whose area ends beyond the end of RAM", _first(lambda item: (item[0], RAM_END - 32)), (1,)),
    Stream("a first item whose area wraps at 2^64", _first(lambda item: (item[0], (1 << 64) - 32)), (1,)),
    Stream("a first item that is not aligned to 64 bytes", _first(lambda item: (item[0], item[1] + 4)), (1,)),
    Stream("a first item for vCPU 7, which does not exist", _first(lambda item: (7, item[1])), (1,)),
    Stream("a first item for vCPU -1", _first(lambda item: (-1, item[1])), (1,)),
    Stream("a first item without an address", _first(lambda item: item[:1]), (1,)),
    Stream("a first item that is None", _first(lambda item: None), (1,)),
    Stream("a first item whose address is a text", _first(lambda item: (item[0], "0x1000")), (1,)),
)


class TolerantRestore(Exercise):
    """The destination's host gets a stream that may be damaged, and must serve what is intact."""

    name, number = "tolerant-restore", 7
    title = "Write the restore that tolerates a damaged stream"
    aim = "treat a migration stream as what it is: input from outside, to be checked like a guest's call"
    minutes, points = 15, 12
    knows = ("exercise lose-a-registration", "docs/write-a-design.md: save and restore")
    kind = "design"
    hints = (
        "A restore has to check at least as much as the guest's own call does. Which checks does on_wrmsr make, and "
        "may a restore simply call it?",
        "One bad item must not take the others with it: leave it out, and go on with the next. Do not let an exception "
        "end the loop.",
        "Before you use an item: is it a tuple of two numbers, is its vCPU one of `cpus`, is its address aligned and "
        "backed by RAM? Only then set the two entries.",
    )

    def judge(self, answer: Any) -> Judged:
        """Save on one machine, damage the stream in each way, restore on another, and look what the host serves."""
        with design_of(answer) as design:
            for stream in STREAMS:
                if said := _wrong(design, stream):
                    again = f"restore(cpus, {_written(_restored(design, stream))})"
                    return Judged(False, f"{stream.what}: {said}", again)
        said = f"{len(STREAMS)} streams restored: whatever was intact is served, and nothing else"
        again = f"workbench compare --protocols {FILE} --events migrate,migrate-damaged --metrics fate"
        return Judged(True, said, again)


def _restored(design: Variant, stream: Stream) -> tuple[Any, ...]:
    """Return the stream that is restored."""
    source = _machine(design)
    saved = source.host(source.protocol.save(tuple(source.machine.cpus.values())))
    return stream.damaged(saved)


def _machine(design: Variant) -> Bench:
    """Return a machine on which both vCPUs have registered."""
    bench = Bench(design.protocol(choose([FEATURE])), vcpus=VCPUS)
    for cpu, gpa in AREAS.items():
        bench.register(FEATURE, gpa, cpu)
        if bench.serves(FEATURE, cpu) != gpa:
            served = _at(bench.serves(FEATURE, cpu))
            raise WorkbenchError(f"before the move: vCPU {cpu} registers {gpa:#x}, and the host serves {served}")
    return bench


def _wrong(design: Variant, stream: Stream) -> str:
    """Return what is wrong after a restore of the stream; "" if nothing is."""
    items = _restored(design, stream)
    bench = _machine(design)
    bench.machine.entries.clear()
    try:
        bench.host(bench.protocol.restore(tuple(bench.machine.cpus.values()), items))
    except BaseException as error:
        if not by_author(error):
            raise
        return f"restore ended with {error if isinstance(error, WorkbenchError) else raised(error)}"
    for cpu, gpa in AREAS.items():
        served = bench.machine.entries.get(area(cpu, FEATURE))
        if cpu in stream.intact and served != gpa:
            return f"the item of vCPU {cpu} was intact ({gpa:#x}), and the host serves {_at(served)}"
        if cpu not in stream.intact and served is not None:
            return f"the item of vCPU {cpu} was damaged or missing, and the host serves {_at(served)}"
    strange = {key.cpu for key in bench.machine.entries if isinstance(key, Key)} - set(AREAS)
    return f"the host now has an entry of vCPU {min(strange)}" if strange else ""


def _written(value: Any) -> str:
    """Return a stream as Python, with its addresses in hexadecimal."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_written, value))}{',' if len(value) == 1 else ''})"
    return hex(value) if type(value) is int and value > 999 else repr(value)[:80]


def _at(gpa: Any) -> str:
    return "nothing" if gpa is None else hex(gpa) if isinstance(gpa, int) else repr(gpa)
