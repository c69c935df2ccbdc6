"""The guest code: one small stub per step, ended by an OUT that the VMM recognises.

Each stub is a few instructions of 64-bit code; its arguments and results are registers. Every exception
has a handler of its own that ends with OUT as well, so that #GP is seen and nothing runs into zeros.
Encodings checked against the AMD64 Architecture Programmer's Manual, volume 3.
"""

#: Port of the OUT that ends a stub, and the port base of the 32 exception handlers.
DONE_PORT, EXCEPTION_PORT = 0x10, 0x80
#: Port of the OUT that carries a hypercall: KVM answers VMCALL itself, so none would reach the VMM.
CALL_PORT = 0x11
VECTORS = 32
GENERAL_PROTECTION = 13

_HANDLER_BYTES = 4
_STAY = "eb fe"  # jmp $: reached only if the vCPU is run on after the OUT
_DONE = f"e6 {DONE_PORT:02x} {_STAY}"

_SOURCES = {
    "nop": f"90 {_DONE}",
    "wrmsr": f"0f 30 {_DONE}",
    "rdmsr": f"0f 32 {_DONE}",
    "cpuid": f"0f a2 {_DONE}",
    "load 1": f"8a 06 {_DONE}",  # mov al, [rsi]
    "load 2": f"66 8b 06 {_DONE}",
    "load 4": f"8b 06 {_DONE}",
    "load 8": f"48 8b 06 {_DONE}",
    "store 1": f"88 07 {_DONE}",  # mov [rdi], al
    "store 2": f"66 89 07 {_DONE}",
    "store 4": f"89 07 {_DONE}",
    "store 8": f"48 89 07 {_DONE}",
    "copy 1": f"fc f3 a4 {_DONE}",  # cld; rep movsb
    "copy 8": f"fc f3 48 a5 {_DONE}",  # cld; rep movsq
    "count": f"ff c9 75 fc {_DONE}",  # dec ecx; jnz
    "wrmsr loop": f"0f 30 ff ce 75 fa {_DONE}",  # wrmsr; dec esi; jnz
    "spin": f"{_STAY}",
    "halt": f"f4 {_DONE}",
    "triple fault": f"0f 01 1e 0f 0b {_STAY}",  # lidt [rsi] (a limit of 0); ud2
    "enter user": "48 cf",  # iretq to one of the following
    "user wrmsr": f"0f 30 {_DONE}",
    "user count": f"ff c9 75 fc {_DONE}",
    "hypercall": f"e7 {CALL_PORT:02x} {_DONE}",  # out CALL_PORT, eax
    "in 1": f"ec {_DONE}",  # in al, dx
    "in 2": f"66 ed {_DONE}",
    "in 4": f"ed {_DONE}",
    "out 1": f"ee {_DONE}",  # out dx, al
    "out 2": f"66 ef {_DONE}",
    "out 4": f"ef {_DONE}",
}
#: Stubs whose first port access is the step itself; the next one ends the stub.
PORT_ACCESSES = frozenset(name for name in _SOURCES if name.split()[0] in ("in", "out", "hypercall"))


def _assemble() -> tuple[bytes, dict[str, int]]:
    code = b"".join(bytes((0xE6, EXCEPTION_PORT | vector, 0xEB, 0xFE)) for vector in range(VECTORS))
    offsets = {}
    for name, source in _SOURCES.items():
        offsets[name] = len(code)
        code += bytes.fromhex(source)
    return code, offsets


#: The content of the code page, and where in it each stub starts.
CODE, OFFSETS = _assemble()


def handler_offset(vector: int) -> int:
    """Return where in CODE the handler of an exception starts."""
    return vector * _HANDLER_BYTES
