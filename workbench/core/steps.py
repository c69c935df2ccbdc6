"""The steps that programs yield. Each step is atomic; anything may run between two steps.

Guest programs and host handlers are generators. They access guest memory only by :class:`Load` and
:class:`Store`, and the host's state only by :class:`Get` and :class:`Set`; no state that a migration would
have to carry is in a Python attribute. A step is an immutable, hashable value: engines use it as a key, print it,
and replay it. What leaves the guest (Wrmsr to PioWrite) is answered by a handler of the protocol
(``workbench.core.driver``).

===========  ==========================================  =================================
step         yielded by                                  answer sent back
===========  ==========================================  =================================
Load         guest program, host handler                 value; ``None`` if the host cannot
Store        guest program, host handler                 ``True``; ``False`` if the host cannot
StoreMapped  host handler: a Store that no log shows     ``True``; ``False`` if the host cannot
MarkDirty    host handler: enters pages in the log       ``None``
Wrmsr        guest program                               ``HANDLED`` or ``FAULT``
Rdmsr        guest program                               int, or ``FAULT``
Hypercall    guest program                               int or tuple, as the handler answers
MmioRead     guest program                               int, or ``FAULT``
MmioWrite    guest program                               ``HANDLED`` or ``FAULT``
PioRead      guest program                               int, or ``FAULT``
PioWrite     guest program                               ``HANDLED`` or ``FAULT``
Get, Set     host handler                                value (``None`` if absent); ``None``
Backed       host handler                                is the range RAM the host may write?
Cover        host handler: an overlay page over a page   done?
Uncover      host handler                                done?
Share        VMM, for a hypercall of an encrypted guest  ``HANDLED``
AllVcpus     host handler                                tuple of the indices of all vCPUs
Quiesce      host handler: waits for the other vCPUs     ``None``
ToUser       host handler: the rest runs in the VMM      ``None``
Now          host handler                                a :class:`Moment`
Note         anyone: a ghost, for properties             ``None``
===========  ==========================================  =================================
"""

from collections.abc import Generator, Hashable
from enum import IntEnum
from typing import Any, NamedTuple


class Side(IntEnum):
    """The side that performs a step. KERNEL is KVM, USER is the VMM (QEMU), GUEST is the vCPU itself."""

    GUEST = 0
    KERNEL = 1
    USER = 2


GUEST, KERNEL, USER = Side.GUEST, Side.KERNEL, Side.USER


class Load(NamedTuple):
    """Read guest memory at ``gpa``; ``what`` is a Scalar, a Layout, a Struct or a number of bytes."""

    gpa: int
    what: Any


class Store(NamedTuple):
    """Write ``value`` at ``gpa``: a struct value or bytes, or an int with its Scalar in ``what``."""

    gpa: int
    value: Any
    what: Any = None


class StoreMapped(NamedTuple):
    """The host writes guest memory through a mapping that it keeps: a Store that no dirty log shows by itself.

    KVM's accessors enter the page in the log after they have written (virt/kvm/kvm_main.c, __kvm_write_guest_page); who
    writes through a mapping must do it himself (:class:`MarkDirty`).
    """

    gpa: int
    value: Any
    what: Any = None


class MarkDirty(NamedTuple):
    """The host enters the pages of [gpa, gpa+size) in the dirty log (KVM: mark_page_dirty; a VMM: its own log)."""

    gpa: int
    size: int


class Wrmsr(NamedTuple):
    """The guest writes a model specific register: one exit."""

    msr: int
    value: int


class Rdmsr(NamedTuple):
    """The guest reads a model specific register: one exit."""

    msr: int


class Hypercall(NamedTuple):
    """The guest calls the hypervisor: one exit. It stands for VMCALL, HVC and SMC, ECALL, ``sc 1``, DIAG.

    ``arguments`` are the numbers in the argument registers.
    """

    number: int
    arguments: tuple[int, ...] = ()


class MmioRead(NamedTuple):
    """The guest reads ``size`` bytes (1, 2, 4 or 8) of a device at guest-physical address ``gpa``: one exit."""

    gpa: int
    size: int


class MmioWrite(NamedTuple):
    """The guest writes ``value`` in ``size`` bytes (1, 2, 4 or 8) to a device at ``gpa``: one exit."""

    gpa: int
    value: int
    size: int


class PioRead(NamedTuple):
    """The guest reads ``size`` bytes (1, 2 or 4) from an I/O port (IN): one exit."""

    port: int
    size: int


class PioWrite(NamedTuple):
    """The guest writes ``value`` in ``size`` bytes (1, 2 or 4) to an I/O port (OUT): one exit."""

    port: int
    value: int
    size: int


class Share(NamedTuple):
    """The VMM makes the pages of [gpa, gpa+size) shared with the host, or private again.

    The guest asks for it by a hypercall, see ``workbench.core.hypercalls.share``.
    """

    gpa: int
    size: int
    shared: bool


class Exit(NamedTuple):
    """The vCPU leaves the guest. The driver yields it; the answer is the vCPU's :class:`Vcpu` record.

    ``cause`` is wrmsr, rdmsr, hypercall, mmio or pio; ``number`` the register, the hypercall, the address or the port;
    ``arguments`` what a hypercall passes, or the size of a device access and the value that it writes; ``instruction``
    what a hypercall is called on this architecture.
    """

    cause: str
    number: int
    arguments: tuple[int, ...] = ()
    instruction: str = ""

    @property
    def is_register_access(self) -> bool:
        """Whether the exit is for a WRMSR or an RDMSR."""
        return self.cause in ("wrmsr", "rdmsr")


class Get(NamedTuple):
    """Read one entry of the host's state."""

    key: Hashable


class Set(NamedTuple):
    """Write one entry of the host's state; ``None`` deletes it."""

    key: Hashable
    value: Hashable


class Backed(NamedTuple):
    """Ask whether the host could write all of [gpa, gpa+size) at this moment."""

    gpa: int
    size: int


class Cover(NamedTuple):
    """The host puts a page of its own, of zeros, over the guest's page at ``gpa`` (an overlay page).

    Guest and host then access the host's page. The answer is False, and nothing happens, if the host cannot write there
    or if the page is covered already.
    """

    gpa: int


class Uncover(NamedTuple):
    """The host takes its page away from ``gpa``: what lay under it is there again, and what it held is gone.

    The answer is False if the page is not covered.
    """

    gpa: int


class AllVcpus(NamedTuple):
    """Ask which vCPUs the VM has, running or not (kvm_for_each_vcpu)."""


class Quiesce(NamedTuple):
    """Wait until the host does nothing for any other vCPU: no update is under way, no exit is being handled.

    A vCPU that itself waits here counts as quiet; otherwise two of them would wait for each other. Updates and exits
    that begin after the wait began are not waited for. In KVM this is synchronize_srcu(&kvm->srcu), with the waiting
    thread's own read side released: a vCPU's thread holds the read side from exit to entry, and so during all its
    writes to guest memory. A request with KVM_REQUEST_WAIT is not enough: it waits for vCPUs to leave the guest, but
    the vCPUs that write are outside (Linux 6.12 virt/kvm/kvm_main.c kvm_request_needs_ipi: mode !=
    OUTSIDE_GUEST_MODE).
    """


class ToUser(NamedTuple):
    """KVM hands the exit to user space; the VMM performs the handler's following steps."""

    reason: str


class Now(NamedTuple):
    """Ask for the time: nanoseconds in the simulator, a small clock in the explorer."""


class Note(NamedTuple):
    """Record what the guest believes or owns: a ghost variable, without an exit and without effect on any program."""

    key: Hashable
    value: Hashable


class Moment(NamedTuple):
    """A point in time as a host sees it: virtual nanoseconds, guest TSC, nanoseconds not scheduled.

    ``stable``: all vCPUs' clocks are made from one reading (KVM's master clock), so they never differ.
    """

    ns: int
    tsc: int
    run_delay: int
    stable: bool = True


#: A guest program or a host handler: yields steps, receives answers, returns a value.
Program = Generator[Any, Any, Any]
