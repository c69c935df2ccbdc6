"""The parser's result: the types and members of C text, before layout for an ABI.

Rule: a tree contains only what the text says. Sizes that depend on the ABI are pairs (x86-64, i386);
`abi` computes the offsets and alignments of structs later.

Source of the scalar types: include/uapi/linux/types.h, include/uapi/asm-generic/int-ll64.h and
include/linux/types.h of Linux; C11 6.2.5 for the standard ones, with the sizes of the System V psABIs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from workbench.clayout.text import Line


@dataclass(frozen=True, slots=True)
class CScalar:
    """An integer or a pointer; ``align`` is an exact alignment in bytes as set by a typedef, else 0.

    ``kind`` is int, char (signed on x86; arrays of it are shown as bytes), bool (a byte of any value, because guest
    memory may hold one that C would never store), pointer, or raw (float, double, __int128: its values are bytes).
    """

    spelling: str
    sizes: tuple[int, int]
    signed: bool = False
    big_endian: bool = False
    align: int = 0
    kind: str = "int"


@dataclass(frozen=True, slots=True)
class CArray:
    """``count`` elements; None is the flexible array ``x[]``, of size 0."""

    element: CType
    count: int | None


@dataclass(frozen=True, slots=True)
class CMember:
    """One member. ``width`` is set for bit-fields; ``name`` is None for anonymous members."""

    name: str | None
    type: CType
    width: int | None = None
    packed: bool = False
    align: int = 0
    line: Line = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class CStruct:
    """A struct or union (``kind``); ``align`` is its explicit alignment in bytes, 0 if there is none.

    ``pack`` is the most that a member is aligned to (``#pragma pack``), 0 if there is no bound. ``typedef_align`` is
    the exact alignment that a typedef gives it, without a change of its size.
    """

    kind: str
    tag: str
    members: tuple[CMember, ...]
    packed: bool = False
    align: int = 0
    line: Line = field(default=0, compare=False)
    pack: int = 0
    typedef_align: int = 0


CType: TypeAlias = CScalar | CArray | CStruct


def spelling(kind: CType) -> str:
    """A type as in C, with its array sizes at the end: ``__u8[3]``, ``struct foo[2][4]``."""
    sizes = ""
    while isinstance(kind, CArray):
        sizes += "[]" if kind.count is None else f"[{kind.count}]"
        kind = kind.element
    return (kind.spelling if isinstance(kind, CScalar) else f"{kind.kind} {kind.tag}".rstrip()) + sizes


POINTER_SIZES = (8, 4)
BARE_ALIGNED = 16  # gcc's __BIGGEST_ALIGNMENT__ on both ABIs without AVX


def _fixed_width() -> dict[str, CScalar]:
    """__u8 .. uint64_t and the __le/__be types."""
    table = {}
    for bits in (8, 16, 32, 64):
        sizes = (bits // 8, bits // 8)
        for unsigned in (f"__u{bits}", f"u{bits}", f"uint{bits}_t", f"u_int{bits}_t"):
            table[unsigned] = CScalar(unsigned, sizes)
        for signed in (f"__s{bits}", f"s{bits}", f"int{bits}_t"):
            table[signed] = CScalar(signed, sizes, signed=True)
        if bits > 8:
            table[f"__le{bits}"] = CScalar(f"__le{bits}", sizes)
            table[f"__virtio{bits}"] = CScalar(f"__virtio{bits}", sizes)  # little-endian for a guest on x86
            table[f"__be{bits}"] = CScalar(f"__be{bits}", sizes, big_endian=True)
    return table


def _standard() -> dict[str, CScalar]:
    """The standard C integer types; the keys are their specifiers in sorted order (``int long unsigned``)."""
    table = {}
    for name, sizes in (("short", (2, 2)), ("long", (8, 4)), ("long long", (8, 8)), ("int", (4, 4))):
        words = name.split()
        for extra in ([], ["int"]) if name != "int" else ([],):
            for sign in ("", "signed", "unsigned"):
                key = " ".join(sorted([*words, *extra, *([sign] if sign else [])]))
                spelling = f"unsigned {name}" if sign == "unsigned" else name
                table[key] = CScalar(spelling, sizes, signed=sign != "unsigned")
    table["unsigned"] = table["int unsigned"]
    table["signed"] = table["int signed"]
    table["char"] = CScalar("char", (1, 1), signed=True, kind="char")
    table["char signed"] = CScalar("signed char", (1, 1), signed=True)
    table["char unsigned"] = CScalar("unsigned char", (1, 1))
    for key, name, sizes in (("float", "float", (4, 4)), ("double", "double", (8, 8))):
        table[key] = CScalar(name, sizes, kind="raw")
    table["double long"] = CScalar("long double", (16, 12), kind="raw")
    for sign in ("", "signed", "unsigned"):
        key = " ".join(sorted(filter(None, ["__int128", sign])))
        table[key] = CScalar(f"{sign} __int128".strip(), (16, 0), kind="raw")  # there is none on i386
    return table


STANDARD_WORDS = frozenset({
    "unsigned", "signed", "char", "short", "int", "long", "float", "double", "__int128",
})  # fmt: skip
#: gcc's other names of these words.
SAME_WORDS = {"__signed__": "signed", "__signed": "signed", "__int128_t": "__int128"}
STANDARD = _standard()
ENUM = CScalar("enum", (4, 4))
NAMED: dict[str, CScalar] = {
    **_fixed_width(),
    "bool": CScalar("bool", (1, 1), kind="bool"),
    "_Bool": CScalar("_Bool", (1, 1), kind="bool"),
    "__aligned_u64": CScalar("__aligned_u64", (8, 8), align=8),
    "__aligned_s64": CScalar("__aligned_s64", (8, 8), signed=True, align=8),
    "__aligned_le64": CScalar("__aligned_le64", (8, 8), align=8),
    "__aligned_be64": CScalar("__aligned_be64", (8, 8), big_endian=True, align=8),
    "size_t": CScalar("size_t", POINTER_SIZES),
    "ssize_t": CScalar("ssize_t", POINTER_SIZES, signed=True),
    "uintptr_t": CScalar("uintptr_t", POINTER_SIZES),
    "intptr_t": CScalar("intptr_t", POINTER_SIZES, signed=True),
}
#: Types of the kernel that a paste may use without defining them; a text may define them otherwise.
KERNEL: dict[str, CScalar] = {
    **{name: CScalar(name, (4, 4)) for name in ("gfp_t", "__poll_t", "__wsum", "fmode_t", "uid_t", "gid_t")},
    **{name: CScalar(name, (4, 4), signed=True) for name in ("pid_t", "atomic_t", "refcount_t", "wchar_t")},
    **{name: CScalar(name, (8, 8)) for name in ("gpa_t", "gfn_t", "hpa_t", "hfn_t", "sector_t", "kvm_pfn_t")},
    **{name: CScalar(name, (8, 8), signed=True) for name in ("ktime_t", "time64_t", "loff_t")},
    **{name: CScalar(name, POINTER_SIZES) for name in ("ulong", "gva_t", "hva_t", "pgoff_t", "__kernel_size_t")},
    **{name: CScalar(name, POINTER_SIZES, signed=True) for name in ("ptrdiff_t", "__kernel_ssize_t")},
    "atomic64_t": CScalar("atomic64_t", (8, 8), signed=True, align=8),
    "__sum16": CScalar("__sum16", (2, 2)),
    "ushort": CScalar("ushort", (2, 2)),
    "umode_t": CScalar("umode_t", (2, 2)),
    "uint": CScalar("uint", (4, 4)),
    "u_int": CScalar("u_int", (4, 4)),
    "u_short": CScalar("u_short", (2, 2)),
    "u_char": CScalar("u_char", (1, 1)),
    "u_long": CScalar("u_long", POINTER_SIZES),
    "uchar": CScalar("uchar", (1, 1)),
}
