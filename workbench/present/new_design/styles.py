"""The ways in which a guest can ask a host, each as the parts of a new design's file that differ."""

from typing import NamedTuple


class Style(NamedTuple):
    """The parts of one style, the names that it imports, and the interface that carries its state."""

    opening: str
    title: str
    clauses: str
    constants: str
    claims: str
    guest_steps: str
    guest: str
    host: str
    imports: str
    interface: str
    shown: bool = False  #: a register that the guest can read shows the state
    kept: str = "range(len(TYPES))"
    init: str = ""
    restore: str = ""


_REGISTER = '''\
    def register(self, cpu, feature, gpa):
        """Run by a CPU that registers ``feature`` at ``gpa``. Return what the guest concludes: ACCEPTED or REFUSED."""
'''
_UNREGISTER = '''
    def unregister(self, cpu, feature, gpa):
        """Run by a CPU that gives the area up. Return ACCEPTED; REFUSED if it knows that it has failed."""
'''
_ON_WRMSR = '''\
    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        """Called when a guest (``host_initiated``: the VMM) writes a register of ``msrs``. Return HANDLED or FAULT."""
'''
_ON_RDMSR = '''
    def on_rdmsr(self, cpu, msr, *, host_initiated=False):
        """Called when a register of ``msrs`` is read. Return its value, a number, or FAULT (#GP)."""
'''
_FLAG = "ENABLE = 1  # bit 0: an area is a multiple of 4 bytes\n"

#: The guest's side of designs in which one value is the address, with bit 0 set; the body of ``ask`` comes after it.
_WITH_FLAG = (
    _REGISTER
    + """        if gpa % 4:
            return REFUSED  # R1: there is no room for the flag
        return (yield from self.ask(feature, gpa | ENABLE))
"""
    + _UNREGISTER
    + """        return (yield from self.ask(feature, 0))

    def ask(self, feature, value):
"""
)

MSR = Style(
    "One register for each type of area.",
    "one register for each type",
    """R1  The register of type n is BASE + n; its value is the area's gpa with bit 0 set, or 0: no area. One exit each.
R2  #GP is a refusal. The register reads as it was written.""",
    f"BASE = 0x4B56_4E00  # no register that KVM has\n{_FLAG}",
    "    msrs = frozenset(range(BASE, BASE + len(TYPES)))  # R1: the registers that on_wrmsr and on_rdmsr serve",
    "Wrmsr, Rdmsr, Note",
    _REGISTER
    + """        if gpa % 4:
            return REFUSED  # R1: there is no room for the flag
        outcome = yield Wrmsr(BASE + TYPES.index(feature.name), gpa | ENABLE)
        return REFUSED if outcome is FAULT else ACCEPTED  # R2
"""
    + _UNREGISTER
    + """        yield Wrmsr(BASE + TYPES.index(feature.name), 0)
        return ACCEPTED
""",
    _ON_WRMSR
    + """        done = yield from self.serve(cpu, msr - BASE, value & ~ENABLE if value & ENABLE else None)
        return HANDLED if done else FAULT  # R2
"""
    + _ON_RDMSR
    + """        feature = self.by_name.get(TYPES[msr - BASE])
        owner = VM if feature is not None and feature.scope == "vm" else cpu.index
        gpa = yield Get(registry(owner, msr - BASE))
        return 0 if gpa is None else gpa | ENABLE
""",
    "FAULT HANDLED Wrmsr",
    "KVM_SET_MSRS",
    True,
)

DESCRIPTOR = Style(
    "One register that takes the address of a call in memory.",
    "a call in memory, one register",
    """R1  The guest fills {gpa, type, result = PENDING} and writes its address to the register: one exit each. A gpa of
    NONE revokes.
R2  The host reads the call once, and writes result: 0, or EINVAL. A call that it cannot read is #GP.""",
    """REGISTER = 0x4B56_4E20  # no register that KVM has
AREA_CALL = struct("struct area_call { __u64 gpa; __u32 type; __u32 result; };")
RESULT = 12  # offset of result
PENDING, EINVAL, NONE = 0xFFFF_FFFF, 22, (1 << 64) - 1
""",
    """    msrs = frozenset({REGISTER})  # R1: the registers that on_wrmsr and on_rdmsr serve
    descriptor = AREA_CALL  # each vCPU has one, at cpu.descriptor""",
    "Wrmsr, Rdmsr, Note",
    _REGISTER
    + """        return (yield from self.ask(cpu, feature, gpa))
"""
    + _UNREGISTER
    + """        return (yield from self.ask(cpu, feature, NONE))

    def ask(self, cpu, feature, gpa):
        yield Store(cpu.descriptor, AREA_CALL(gpa=gpa, type=TYPES.index(feature.name), result=PENDING))
        outcome = yield Wrmsr(REGISTER, cpu.descriptor)
        if outcome is FAULT:
            return REFUSED
        result = yield Load(cpu.descriptor + RESULT, U32)
        return ACCEPTED if result == 0 else REFUSED  # R2: PENDING says that nobody has answered
""",
    _ON_WRMSR
    + """        call = yield Load(value, AREA_CALL)  # R2: read once; read it again below, and a double fetch appears
        if call is None:
            return FAULT
        done = yield from self.serve(cpu, call.type, None if call.gpa == NONE else call.gpa)
        yield Store(value + RESULT, 0 if done else EINVAL, U32)
        return HANDLED
""",
    "FAULT HANDLED U32 Load Store Wrmsr struct",
    "a new ioctl",
)

INDEXED = Style(
    "Two registers: one selects the type, the other takes the address.",
    "a selector and an address register",
    """R1  The guest writes the type to SELECT and the area's gpa, with bit 0 set, to PLACE: two exits each. 0 in
    PLACE revokes.
R2  PLACE acts on the type that its vCPU selected, and ends the selection, which is state, too. #GP is a refusal.""",
    f"SELECT, PLACE = 0x4B56_4E40, 0x4B56_4E41  # no registers that KVM has\n{_FLAG}",
    "    msrs = frozenset({SELECT, PLACE})  # R1: the registers that on_wrmsr and on_rdmsr serve",
    "Wrmsr, Rdmsr, Note",
    _WITH_FLAG
    + """        yield Wrmsr(SELECT, TYPES.index(feature.name))
        outcome = yield Wrmsr(PLACE, value)
        return REFUSED if outcome is FAULT else ACCEPTED  # R2
""",
    _ON_WRMSR
    + """        if msr == SELECT:
            yield Set(registry(cpu.index, "selected"), value)
            return HANDLED
        number = yield Get(registry(cpu.index, "selected"))
        yield Set(registry(cpu.index, "selected"), None)  # R2
        if number is None:
            return FAULT
        done = yield from self.serve(cpu, number, value & ~ENABLE if value & ENABLE else None)
        return HANDLED if done else FAULT
"""
    + _ON_RDMSR
    + """        number = yield Get(registry(cpu.index, "selected"))
        if msr == SELECT or number is None or number >= len(TYPES):
            return number or 0
        feature = self.by_name.get(TYPES[number])
        owner = VM if feature is not None and feature.scope == "vm" else cpu.index
        gpa = yield Get(registry(owner, number))
        return 0 if gpa is None else gpa | ENABLE
""",
    "FAULT HANDLED Wrmsr",
    "KVM_SET_MSRS",
    True,
    '("selected", *range(len(TYPES)))',
    """        yield Set(registry(cpu.index, "selected"), None)
""",
    """            if key == "selected":
                yield Set(registry(owner, key), value)
            elif TYPES[key] in self.by_name:
                yield from self.keep(cpu, key, value)""",
)

HYPERCALL = Style(
    "One hypercall with the operation, the type and the address in registers.",
    "one hypercall for all types",
    """R1  Hypercall CALL takes (operation, type, gpa): REGISTER or REVOKE. One exit each.
R2  It answers 0 or -EINVAL; a host that does not know it answers -KVM_ENOSYS.""",
    """CALL = 0x4E00  # no hypercall that KVM has
REVOKE, REGISTER, EINVAL = 0, 1, 22
""",
    """    hypercalls = frozenset({CALL})  # R1: the numbers that on_hypercall serves
    call_instruction = "VMCALL"  # for traces: HVC, SMC, ECALL ...""",
    "Hypercall, Note",
    _REGISTER
    + """        answer = yield Hypercall(CALL, (REGISTER, TYPES.index(feature.name), gpa))
        return ACCEPTED if answer == 0 else REFUSED  # R2
"""
    + _UNREGISTER
    + """        answer = yield Hypercall(CALL, (REVOKE, TYPES.index(feature.name), 0))
        return ACCEPTED if answer == 0 else REFUSED
""",
    '''    def on_hypercall(self, cpu, number, arguments):
        """Called when a guest makes a hypercall of ``hypercalls``. Return an int, a tuple of ints, or UNKNOWN."""
        operation, kind, gpa = arguments
        if operation not in (REVOKE, REGISTER):
            return -EINVAL
        done = yield from self.serve(cpu, kind, gpa if operation == REGISTER else None)
        return 0 if done else -EINVAL  # R2
''',
    "Hypercall",
    "a new ioctl",
)

DEVICE = Style(
    "A device of the VMM with a register in memory for each type.",
    "a device with a register for each type",
    """R1  The device has 8 bytes for each type, at DEVICE + 8 * type, of its own for each vCPU; the guest writes the
    area's gpa with bit 0 set, or 0: no area. One exit to the VMM.
R2  The guest reads the register back (a second exit): another value than it wrote is a refusal.""",
    f"DEVICE = 0xFE00_2000  # no RAM is here\n{_FLAG}",
    "    mmio = (IoRange(DEVICE, 8 * len(TYPES)),)  # R1: what on_mmio_read and on_mmio_write serve",
    "MmioRead, MmioWrite, Note",
    _WITH_FLAG
    + """        at = DEVICE + 8 * TYPES.index(feature.name)
        yield MmioWrite(at, value, 8)
        held = yield MmioRead(at, 8)
        return ACCEPTED if held == value else REFUSED  # R2
""",
    '''    def on_mmio_write(self, cpu, gpa, value, size):
        """Called when a guest writes ``size`` bytes to the device. Return nothing."""
        number, offset = divmod(gpa - DEVICE, 8)
        if size == 8 and not offset:
            yield from self.serve(cpu, number, value & ~ENABLE if value & ENABLE else None)

    def on_mmio_read(self, cpu, gpa, size):
        """Called when a guest reads ``size`` bytes of the device. Return a number."""
        number, offset = divmod(gpa - DEVICE, 8)
        feature = self.by_name.get(TYPES[number])
        if size != 8 or offset or feature is None:
            return 0
        held = yield Get(registry(VM if feature.scope == "vm" else cpu.index, number))
        return 0 if held is None else held | ENABLE
''',
    "IoRange MmioRead MmioWrite",
    "the VMM's device state",
)

STYLES = {"msr": MSR, "descriptor": DESCRIPTOR, "hypercall": HYPERCALL, "indexed": INDEXED, "device": DEVICE}
