"""What an author imports: everything that the file of a protocol, a feature or a lifecycle event needs, in one place.

The rooms behind this module may move; the names here stay (``tests/test_design.py`` holds the list). A name that the
table does not have is not promised.

======================  ============================================================================================
contracts
Protocol                how the host learns of an area and forgets it: the base class of a design
Feature                 what a piece of shared memory is for, and its ABI: the base class of a feature
Event                   what happens to a guest: the base class of a lifecycle event
StateEntry              one piece of host state, and how a migration carries it (``Protocol.state``)
Compared                how a feature's payload is compared on two hosts (``Feature.compared``)
Counted                 what a count of a payload's updates is for a real host's (``Feature.counted``)
Hidden                  state of a feature that no register shows (``Feature.hidden``)
Register                a register by which a guest registers a feature (``Feature.registers``)
ControlBits             bits beside the address that must be 1, be 0, or need CPUID (``Protocol.control_bits``)
IoRange                 addresses or I/O ports of a device of the design (``Protocol.mmio``, ``Protocol.ports``)
Area                    what ``register_all`` gets: a vCPU's record, a feature and a gpa
Program                 the type of every guest program and host handler: a generator of steps
outcomes and answers
HANDLED                 ``on_wrmsr`` returns it: the register is claimed, and the instruction completed
FAULT                   ``on_wrmsr``, ``on_rdmsr`` return it: the access is refused, the guest takes #GP
UNKNOWN                 they return it: the register is not claimed, the host's policy decides
Outcome                 the type of these three
KVM_ENOSYS              ``-KVM_ENOSYS`` is KVM's answer to a hypercall that it does not know
KVM_EPERM               ``-KVM_EPERM`` is KVM's answer to a hypercall above privilege level 0
KVM_EINVAL              ``-KVM_EINVAL`` is KVM's answer to a hypercall with wrong arguments
ACCEPTED                ``register`` returns it: the guest believes that its area is registered
REFUSED                 ``register`` returns it: the guest knows that its area is not registered
AcceptedAt              ``register`` returns it: accepted, at an address that the host chose
Answer                  the type of ACCEPTED and REFUSED
steps of guest programs and host handlers
Load                    read guest memory: a value; None if the host cannot reach it
Store                   write guest memory: True; False if the host cannot reach it
Wrmsr                   guest: write a register: HANDLED or FAULT
Rdmsr                   guest: read a register: an int, or FAULT
Hypercall               guest: call the hypervisor with a number and arguments: an int, or a tuple of ints
MmioRead                guest: read a device at a guest-physical address: an int, or FAULT
MmioWrite               guest: write to a device at a guest-physical address: HANDLED or FAULT
PioRead                 guest: read an I/O port: an int, or FAULT
PioWrite                guest: write to an I/O port: HANDLED or FAULT
share                   encrypted guest: the hypercall that makes pages shared with the host, or private again
Note                    guest: record what the guest believes or owns, without effect on any program
Get                     host: read one entry of the host's state; None if there is none
Set                     host: write one entry of the host's state; the value None deletes it
Backed                  host: ask whether a range of addresses is RAM that the host may write: True or False
Cover                   host: put an overlay page of zeros over the guest's page: True or False
Uncover                 host: take the overlay page away; what lay under it is there again: True or False
StoreMapped             host: write guest memory through a mapping, which no dirty log shows: True or False
MarkDirty               host: enter pages in the dirty log; None
AllVcpus                host: ask for the indices of all vCPUs: a tuple
Quiesce                 host: wait until the host does nothing for any other vCPU
Share                   VMM: make pages shared with the host, or private again
ToUser                  host: KVM hands the exit to the VMM, which performs the steps that follow
Now                     host: ask for the time: a Moment
Moment                  a point in time: nanoseconds, guest TSC, nanoseconds in which the vCPU did not run
keys of the host's state
area                    the address to which the host writes a feature's payload now (derived)
register                the value of a model specific register
registry                one entry of a table that the protocol defines
pending                 an update to be delivered at the vCPU's next entry (derived)
baseline                where a running count began on this host (derived)
staged                  the next entry maps what is registered (derived)
stop_news               the guest was stopped, and the next update tells it (derived)
Key                     the type of a key: kind, vCPU or VM, name
VM                      in place of a vCPU's index: state of the whole machine
DERIVED                 the kinds of keys that another host works out anew, so that no migration carries them
believes                ghost: the address at which the guest believes a feature to be registered
asked                   ghost: what the guest concluded from its last registration
layouts of memory
struct                  a C struct from its text: ``struct("struct s { __u32 version; };")``
Struct                  the type of what ``struct`` returns: one layout for each ABI, and values
Value                   the type of a value of a struct
Abi                     the ABIs: ``Abi.X86_64``, ``Abi.I386``
U8                      one unsigned byte
U16                     two bytes, little endian, unsigned
U32                     four bytes, little endian, unsigned
U64                     eight bytes, little endian, unsigned
PAGE_SIZE               bytes of a page
seqlock                 the version field of a payload: ``seqlock.begin``, ``seqlock.end``, ``seqlock.read``
the machine
Vcpu                    the record of a vCPU that programs and handlers receive
Host                    the configuration of a host that a guest can notice
KVM_SUPPORTED           the CPUID bits of leaf 0x40000001 EAX that KVM offers by default
Scenario                a protocol, features, vCPUs and their host, and the address of every area
Unit                    a piece of guest memory with one purpose: kernel generation, vCPU or VM, feature's name
DESCRIPTOR              the name of the unit that is a vCPU's descriptor
steps of lifecycle events
Start                   a vCPU abandons what it runs and starts a guest program
Wait                    wait until a vCPU has finished its program
WaitAll                 wait until all these vCPUs have finished their programs
Stop                    a vCPU runs no further guest code
Enter                   a vCPU enters the guest once, and the updates that are due are delivered
Each                    one turn for each of several vCPUs, in any order
each                    make an Each: ``each(range(4), Enter)``
Init                    a vCPU receives INIT
Pause                   all vCPUs stop at an instruction boundary
Resume                  the vCPUs run again
NewHost                 the machine is now on another host, which holds none of its state
SendMemory              the VMM begins to log writes and sends all memory, while the vCPUs run
SendDirty               it reads the dirty log and sends its pages; ``last=True`` before NewHost
OnHost                  the VMM runs a host program, such as a save: what the program returns
AddMemslot              the VMM adds memory
DeleteMemslot           the VMM deletes a memslot
MoveMemslot             the VMM moves a memslot, with its content
Reassign                units of guest memory get a new owner
KernelGone              the guest kernel on these vCPUs ends
GuestCall               a guest program with arguments, for Start
HostCall                a host program with arguments, for OnHost
host_side               make a program of the protocol's host side one for OnHost: ``host_side(protocol.save(cpus))``
parts of lifecycle events
AfterBoot               the base class of events that happen to a guest that has booted
AtBoot                  the base class of events that are a boot under another configuration
Migration               the base class of live migrations
LinuxKernel             a Linux guest: what it registers at boot, and revokes
boot_all                every vCPU boots
starting                each of these vCPUs starts a program, in any order
of_its_own              run a program on a vCPU after its present one has finished
enter_all               every vCPU enters the guest once
designs to derive from
Generic                 the 2011 proposal: one call for all features
PerFeature              what KVM does: one register for each feature
Null                    the smallest legal design
errors
WorkbenchError          raise it for a mistake of the user: its text is printed as one line
======================  ============================================================================================
"""

from workbench.clayout.layout import U8, U16, U32, U64, Abi, Struct, Value, struct
from workbench.core.address_map import DESCRIPTOR, Unit
from workbench.core.contracts import Compared, Counted, Feature, Hidden, Protocol, StateEntry
from workbench.core.contracts.event import Event
from workbench.core.contracts.protocol import Area, ControlBits, IoRange
from workbench.core.driver import host_side
from workbench.core.event_steps import (
    AddMemslot,
    DeleteMemslot,
    Each,
    Enter,
    GuestCall,
    HostCall,
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
    Start,
    Stop,
    Wait,
    WaitAll,
    each,
)
from workbench.core.host_state import DERIVED, VM, Key, area, baseline, pending, register, registry, staged, stop_news
from workbench.core.hypercalls import KVM_EINVAL, KVM_ENOSYS, KVM_EPERM, share
from workbench.core.kvm_registers import Register
from workbench.core.memory import PAGE_SIZE
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, REFUSED, UNKNOWN, AcceptedAt, Answer, Outcome
from workbench.core.scenario import Scenario, asked, believes
from workbench.core.steps import (
    AllVcpus,
    Backed,
    Cover,
    Get,
    Hypercall,
    Load,
    MarkDirty,
    MmioRead,
    MmioWrite,
    Moment,
    Note,
    Now,
    PioRead,
    PioWrite,
    Program,
    Quiesce,
    Rdmsr,
    Set,
    Share,
    Store,
    StoreMapped,
    ToUser,
    Uncover,
    Wrmsr,
)
from workbench.core.vcpu import KVM_SUPPORTED, Host, Vcpu
from workbench.errors import WorkbenchError
from workbench.features import seqlock
from workbench.lifecycle.event import AfterBoot, AtBoot, boot_all, enter_all, of_its_own, starting
from workbench.lifecycle.linux import LinuxKernel
from workbench.lifecycle.migrate import Migration
from workbench.protocols import Generic, Null, PerFeature

__all__ = [
    "ACCEPTED", "DERIVED", "DESCRIPTOR", "FAULT", "HANDLED", "KVM_EINVAL", "KVM_ENOSYS", "KVM_EPERM", "KVM_SUPPORTED",
    "PAGE_SIZE", "REFUSED", "U8", "U16", "U32", "U64", "UNKNOWN", "VM", "Abi", "AcceptedAt", "AddMemslot",
    "AfterBoot", "AllVcpus", "Answer", "Area", "AtBoot", "Backed", "Compared", "ControlBits", "Counted",
    "Cover", "DeleteMemslot", "Each", "Enter", "Event", "Feature", "Generic", "Get", "GuestCall", "Hidden", "Host",
    "HostCall",
    "Hypercall", "Init", "IoRange", "KernelGone", "Key", "LinuxKernel", "Load", "MarkDirty", "Migration", "MmioRead",
    "MmioWrite", "Moment", "MoveMemslot", "NewHost", "Note", "Now", "Null", "OnHost", "Outcome", "Pause",
    "PerFeature", "PioRead", "PioWrite", "Program", "Protocol", "Quiesce", "Rdmsr", "Reassign", "Register", "Resume",
    "Scenario", "SendDirty", "SendMemory", "Set", "Share", "Start", "StateEntry", "Stop", "Store", "StoreMapped",
    "Struct", "ToUser", "Uncover", "Unit", "Value", "Vcpu", "Wait", "WaitAll", "WorkbenchError", "Wrmsr", "area",
    "asked", "baseline", "believes", "boot_all", "each", "enter_all", "host_side", "of_its_own", "pending",
    "register", "registry", "seqlock", "share", "staged", "starting", "stop_news", "struct",
]  # fmt: skip
