"""What a vCPU needs to execute 64-bit code at CPL 0: page tables, descriptor tables, segment registers.

All of it is in one memslot at STUB_GPA, far above the RAM of a test, so that the guest's RAM is entirely
the test's. Virtual equals physical below REACH (2 MiB pages, user bit set for the CPL 3 stub; accessed
and dirty bits set beforehand, so that the CPU never writes to the tables).
Source: AMD64 Architecture Programmer's Manual, volume 2, chapters 4, 5, 8 and 12.
"""

import struct
from functools import cache

from workbench.engines.kvm.guest import stubs

#: Where the engine's own memslot lies, and its number. Guests should not use these addresses.
STUB_GPA, STUB_SLOT = 60 << 30, 500
#: Loads and stores reach below this gpa.
REACH = 64 << 30

_GDT, _IDT, _CODE, _PML4, _PDPT, _PDS = 0x0000, 0x1000, 0x2000, 0x3000, 0x4000, 0x5000
_SHARED = _PDS + (REACH >> 30) * 0x1000
#: Per vCPU: a page for TSS and stack, then the bounce buffer of string copies.
BOUNCE_BYTES = 0x4000
_PRIVATE = 0x1000 + BOUNCE_BYTES
MAX_CPUS = 240  # 16-byte TSS descriptors that fit into the page of the GDT

CODE = STUB_GPA + _CODE
_CS, _DS, _USER_DS, _USER_CS, _TR = 0x08, 0x10, 0x18, 0x20, 0x28
USER_CS, USER_SS = _USER_CS | 3, _USER_DS | 3
_TABLE, _LEAF = 0x27, 0xE7  # present, writable, user, accessed; leaf: also dirty and page size
_CR0, _CR4, _EFER = 0x80050033, 0x620, 0x500  # PG AM WP NE ET MP PE; PAE OSFXSR OSXMMEXCPT; LME LMA
_segment, _table = struct.Struct("<QIH9Bx"), struct.Struct("<QH6x")
#: The 64-bit TSS: RSP0, and an I/O permission map that allows CPL 3 the ports 0 to 255 (and its end byte).
_tss = struct.Struct("<4xQ90xH32sB")


def slot_size(cpus: int) -> int:
    """Return the bytes of the memslot for ``cpus`` vCPUs."""
    return _SHARED + cpus * _PRIVATE


def private(cpu: int) -> int:
    """Return the gpa of a vCPU's TSS and stack page."""
    return STUB_GPA + _SHARED + cpu * _PRIVATE


def stack_top(cpu: int) -> int:
    """Return a vCPU's initial rsp."""
    return private(cpu) + 0x1000


def bounce(cpu: int) -> int:
    """Return the gpa of a vCPU's bounce buffer of BOUNCE_BYTES."""
    return private(cpu) + 0x1000


@cache
def image(cpus: int) -> bytes:
    """Return the initial content of the memslot: tables, code, and one TSS per vCPU."""
    content = bytearray(slot_size(cpus))
    gdt = [0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF, 0x00CFF3000000FFFF, 0x00AFFB000000FFFF]
    for cpu in range(cpus):
        gdt += _tss_descriptor(private(cpu))
        _tss.pack_into(content, private(cpu) - STUB_GPA, stack_top(cpu), 104, bytes(32), 0xFF)
    struct.pack_into(f"<{len(gdt)}Q", content, _GDT, *gdt)
    for vector in range(stubs.VECTORS):
        gate = _gate(CODE + stubs.handler_offset(vector))
        content[_IDT + 16 * vector : _IDT + 16 * vector + 16] = gate
    content[_CODE : _CODE + len(stubs.CODE)] = stubs.CODE
    _page_tables(content)
    return bytes(content)


def _tss_descriptor(base: int) -> list[int]:
    low = _tss.size - 1 | (base & 0xFFFFFF) << 16 | 0x8B << 40 | (base >> 24 & 0xFF) << 56  # present, busy 64-bit TSS
    return [low, base >> 32]


def _gate(handler: int) -> bytes:
    low, middle, high = handler & 0xFFFF, handler >> 16 & 0xFFFF, handler >> 32
    return struct.pack("<HHBBHII", low, _CS, 0, 0x8E, middle, high, 0)


def _page_tables(content: bytearray) -> None:
    gigabytes = REACH >> 30
    struct.pack_into("<Q", content, _PML4, STUB_GPA + _PDPT | _TABLE)
    directories = (STUB_GPA + _PDS + 0x1000 * number | _TABLE for number in range(gigabytes))
    struct.pack_into(f"<{gigabytes}Q", content, _PDPT, *directories)
    pages = 512 * gigabytes
    struct.pack_into(f"<{pages}Q", content, _PDS, *(number << 21 | _LEAF for number in range(pages)))


def enter(sregs: bytearray, cpu: int, cpus: int) -> bytearray:
    """Return ``sregs`` (a struct kvm_sregs) changed to 64-bit mode at CPL 0 with our tables."""
    changed = bytearray(sregs)
    flat = _segment.pack(0, 0xFFFFFFFF, _DS, 3, 1, 0, 1, 1, 0, 1, 0, 0)
    code = _segment.pack(0, 0xFFFFFFFF, _CS, 11, 1, 0, 0, 1, 1, 1, 0, 0)
    task = _segment.pack(private(cpu), _tss.size - 1, _TR + 16 * cpu, 11, 1, 0, 0, 0, 0, 0, 0, 0)
    ldt = _segment.pack(0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1)
    changed[0 : 8 * _segment.size] = b"".join((code, flat, flat, flat, flat, flat, task, ldt))
    _table.pack_into(changed, 192, STUB_GPA + _GDT, _TR + 16 * cpus - 1)
    _table.pack_into(changed, 208, STUB_GPA + _IDT, 16 * stubs.VECTORS - 1)
    struct.pack_into("<QQQQ", changed, 224, _CR0, 0, STUB_GPA + _PML4, _CR4)
    struct.pack_into("<Q", changed, 264, _EFER)
    return changed
