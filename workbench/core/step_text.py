"""The text of each step, in one line, for traces, diagrams and replay files.

The text names what matters of a step (address, width, value), and no object identities.
"""

from collections.abc import Callable, Iterator
from typing import Any

from workbench.clayout.layout import Layout, Struct
from workbench.clayout.types import Scalar
from workbench.clayout.value import Value
from workbench.core.event_steps import (
    AddMemslot,
    Becoming,
    Begin,
    DeleteMemslot,
    Each,
    Enter,
    Init,
    KernelGone,
    MoveMemslot,
    NewHost,
    OnHost,
    Pause,
    Reassign,
    Resume,
    SendDirty,
    SendMemory,
    Stop,
    Wait,
    WaitAll,
)
from workbench.core.host_state import VM, Key
from workbench.core.outcome import Answer, Becomes
from workbench.core.scenario import Scenario
from workbench.core.steps import (
    AllVcpus,
    Backed,
    Cover,
    Exit,
    Get,
    Hypercall,
    Load,
    MarkDirty,
    MmioRead,
    MmioWrite,
    Note,
    Now,
    PioRead,
    PioWrite,
    Quiesce,
    Set,
    Share,
    Store,
    StoreMapped,
    ToUser,
    Uncover,
)
from workbench.core.transition import size_of

#: Numbers below this are counts and flags; larger ones are addresses and register numbers.
DECIMAL_BELOW = 1000


def number(value: int) -> str:
    """Return a number as text: small ones decimal, large ones hexadecimal."""
    return str(value) if -DECIMAL_BELOW < value < DECIMAL_BELOW else hex(value)


def value_text(value: Any) -> str:
    """Return the text of a value in a step or a variable."""
    if value is None:
        return "nothing"
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int):
        return number(value)
    if isinstance(value, bytes):
        return f"{len(value)} bytes {value.hex()}"
    if isinstance(value, Answer):
        return value.value
    if isinstance(value, Value):
        told = [f"{f.name}={value_text(value[f.name])}" for f in value.layout.fields if not _is_zero(value[f.name])]
        return f"{value.layout.struct_name} {{{', '.join(told)}}}" if told else f"{value.layout.struct_name} of zeros"
    if isinstance(value, Key):
        return key_text(value)
    if isinstance(value, tuple):
        return "(" + ", ".join(value_text(item) for item in value) + ")"
    return str(value)


def _is_zero(value: Any) -> bool:
    return not any(value) if isinstance(value, bytes | tuple) else not value


def whose(cpu: int) -> str:
    """Return the name of an owner: a vCPU or the VM."""
    return "VM" if cpu == VM else f"vCPU {cpu}"


def key_text(key: Any) -> str:
    """Return the text of the key of an entry or a note."""
    if not isinstance(key, Key):
        return str(key)
    name = number(key.name) if isinstance(key.name, int) else key.name
    return f"{key.kind} {name} of {whose(key.cpu)}"


def width_text(what: Any) -> str:
    """Return the text of the type or size that a Load or Store accesses."""
    if isinstance(what, Struct | Layout):
        return str(what.name) if isinstance(what, Struct) else what.struct_name
    if isinstance(what, Scalar):
        return what.name
    return f"{size_of(what)} bytes"


def descriptor_text(data: bytes, layout: Layout) -> str:
    """Return the text of the descriptor fields that ``data``, the beginning of a descriptor, covers."""
    value = layout.unpack(data.ljust(layout.size, b"\0"))
    fields = [f for f in layout.fields if f.offset + f.size <= len(data) and "pad" not in f.name]
    return ", ".join(f"{f.name}={value_text(value[f.name])}" for f in fields)


def _store(step: Store | StoreMapped) -> str:
    width = "" if step.what is None else f" ({width_text(step.what)})"
    return f"store {value_text(step.value)}{width} at {step.gpa:#x}"


def _numbers(values: tuple[int, ...]) -> str:
    return ", ".join(number(value) for value in values)


def _exit(step: Exit) -> str:
    """A hypercall with its arguments, a device access with its size and what is written, or a register access."""
    if step.cause == "hypercall":
        return f"exit: {step.instruction or 'hypercall'} {number(step.number)}({_numbers(step.arguments)})"
    size, *written = step.arguments or (0,)
    told = f", {size} bytes" if size else ""
    return f"exit: {step.cause} {step.number:#x}{told}" + (f" = {number(written[0])}" if written else "")


def _vcpus(cpus: tuple[int, ...]) -> str:
    return ", ".join(f"vCPU {cpu}" for cpu in cpus)


def _disown(step: Reassign) -> str:
    units = ", ".join(f"{unit.what} of {whose(unit.cpu)}" for unit in step.units)
    return f"kernel {step.units[0].generation}'s memory is somebody else's: {units}" if units else "reassign no memory"


def _setting(value: Any) -> str:
    """Return a setting of a host as text; bits in ascending order."""
    return "bits " + " ".join(map(str, sorted(value))) if isinstance(value, frozenset) else str(value)


_BECOMES = {
    Becomes.GOES_ON: "goes on",
    Becomes.LESS: "goes on without what was refused",
    Becomes.REFUSED: "is not taken by this host",
    Becomes.ABORTS: "ends, because its VMM aborts",
}

_TEXT: dict[type, Callable[[Any], str]] = {
    Load: lambda s: f"load {width_text(s.what)} at {s.gpa:#x}",
    Store: _store,
    StoreMapped: lambda s: f"{_store(s)} through a mapping",
    MarkDirty: lambda s: f"mark dirty {s.gpa:#x}+{s.size:#x}",
    Exit: _exit,
    Hypercall: lambda s: f"hypercall {number(s.number)}({_numbers(s.arguments)})",
    MmioRead: lambda s: f"read {s.size} bytes of the device at {s.gpa:#x}",
    MmioWrite: lambda s: f"write {value_text(s.value)} ({s.size} bytes) to the device at {s.gpa:#x}",
    PioRead: lambda s: f"read {s.size} bytes from port {s.port:#x}",
    PioWrite: lambda s: f"write {value_text(s.value)} ({s.size} bytes) to port {s.port:#x}",
    Share: lambda s: f"{'share' if s.shared else 'unshare'} {s.gpa:#x}+{s.size:#x}",
    Get: lambda s: f"get {key_text(s.key)}",
    Set: lambda s: f"set {key_text(s.key)} = {value_text(s.value)}",
    Backed: lambda s: f"is {s.gpa:#x}+{s.size:#x} memory?",
    Cover: lambda s: f"cover the page at {s.gpa:#x}",
    Uncover: lambda s: f"uncover the page at {s.gpa:#x}",
    ToUser: lambda s: f"exit to user space: {s.reason}",
    AllVcpus: lambda s: "which vCPUs are there?",
    Quiesce: lambda s: "wait until no other vCPU is being served",
    Now: lambda s: "read the clock",
    Note: lambda s: f"guest: {key_text(s.key)} = {value_text(s.value)}",
    Begin: lambda s: f"start {s.program}",
    Wait: lambda s: f"wait for vCPU {s.cpu}",
    WaitAll: lambda s: f"wait for {_vcpus(s.cpus)}",
    Each: lambda s: " or ".join(step_text(step) for step in s.next_steps()),
    Stop: lambda s: f"stop vCPU {s.cpu}",
    Enter: lambda s: f"vCPU {s.cpu} enters the guest",
    Init: lambda s: f"INIT to vCPU {s.cpu}",
    Pause: lambda s: "stop all vCPUs",
    Resume: lambda s: "vCPUs go on",
    NewHost: lambda s: "new host" + "".join(f", {name}={_setting(value)}" for name, value in s.changes),
    SendMemory: lambda s: "log writes, send all memory" + ("" if s.own_log else ", KVM's log alone"),
    SendDirty: lambda s: f"read the {'last ' if s.last else ''}dirty log, send its pages",
    OnHost: lambda s: f"VMM: {s.program.function.__name__}"
    + "".join(f" {value_text(a)}" for a in s.program.arguments if not isinstance(a, Scenario)),
    Becoming: lambda s: f"the machine {_BECOMES[s.becomes]}",
    AddMemslot: lambda s: f"add memslot {s.gpa:#x}+{s.size:#x}" + (" read-only" if s.readonly else ""),
    DeleteMemslot: lambda s: f"delete memslot {s.gpa:#x}",
    MoveMemslot: lambda s: f"move memslot {s.gpa:#x} to {s.to:#x}",
    Reassign: _disown,
    KernelGone: lambda s: f"the kernel is gone from {_vcpus(s.cpus)}",
}


def numbers_in(step: Any, descriptor: Layout | None = None) -> Iterator[int]:
    """Yield every number in a step that its text contains: addresses, sizes and values."""
    if isinstance(step, Begin):
        return
    if isinstance(step, Store) and descriptor is not None and isinstance(step.value, bytes):
        yield step.gpa
        yield from numbers_in(descriptor.unpack(step.value.ljust(descriptor.size, b"\0")))
    elif isinstance(step, Value):
        yield from (number for field in step.layout.fields for number in numbers_in(step[field.name]))
    elif isinstance(step, tuple):
        yield from (number for one in step for number in numbers_in(one, descriptor))
    elif isinstance(step, int):
        yield step


def step_text(step: Any, descriptor: Layout | None = None) -> str:
    """Return one line for a step, with or without its side; for a rule (a string), the rule's name.

    With ``descriptor``, a Store of bytes is shown as the fields of the descriptor that it begins.
    """
    if type(step) is tuple and len(step) == 2:
        step = step[1]
    if descriptor is not None and type(step) is Store and isinstance(step.value, bytes):
        return f"store {{{descriptor_text(step.value, descriptor)}}} at {step.gpa:#x}"
    text = _TEXT.get(type(step))
    return str(step) if text is None else text(step)
