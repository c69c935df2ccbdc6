"""The version field of a payload: odd while the host writes, even when the payload may be read.

Writer: Linux arch/x86/kvm/x86.c, kvm_setup_guest_pvclock and record_steal_time (6.12): if the host finds an odd
version, it goes on to the next odd one, so the version is odd exactly while fields change. Reader:
arch/x86/include/asm/pvclock.h, pvclock_read_begin and pvclock_read_retry.
"""

from typing import Any

from workbench.clayout.layout import U32, Layout
from workbench.core.steps import Load, Program, Store

#: How often a guest tries to read before it gives up; Linux spins, but a model must terminate.
READ_ATTEMPTS = 3


def begin(gpa: int) -> Program:
    """Host: make the version at ``gpa`` odd; return it, or None if the area cannot be reached."""
    version = yield Load(gpa, U32)
    if version is None:
        return None
    version = ((version + 1) | 1) & 0xFFFF_FFFF
    if not (yield Store(gpa, version, U32)):
        return None
    return version


def end(gpa: int, version: int) -> Program:
    """Host: make the version even again."""
    yield Store(gpa, (version + 1) & 0xFFFF_FFFF, U32)


def read(gpa: int, version_offset: int, layout: Layout) -> Program:
    """Guest: return a payload that was read without an update in between; None if every attempt met an update."""
    for _ in range(READ_ATTEMPTS):
        before = yield Load(gpa + version_offset, U32)
        if before & 1:
            continue
        payload: Any = yield Load(gpa, layout)
        after = yield Load(gpa + version_offset, U32)
        if before == after:
            return payload
    return None
