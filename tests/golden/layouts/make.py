"""Random C structs and what gcc says of them: the golden data of the layout tests, and their oracle.

    python -m tests.golden.layouts.make write               # writes random.jsonl next to this file
    python -m tests.golden.layouts.make check 4000 [SEED]   # fresh structs, ours against gcc, both ABIs

gcc compiles to an object file only, so -m32 needs no 32-bit libraries. The answers stand in it as constants:
sizes, alignments and offsets in one array per struct, and one object per bit-field whose bits are all ones.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.golden.layouts.generate import HEADER, Case, cases

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = Path(__file__).with_name("random.jsonl")
GOLDEN_COUNT, GOLDEN_SEED = 300, 2011
FLAGS = {"x86-64": "-m64", "i386": "-m32"}

PRELUDE = """
#define __packed __attribute__((packed))
#define __aligned(n) __attribute__((aligned(n)))
#define __user
typedef _Bool bool;
typedef unsigned char __u8, u8, uint8_t; typedef signed char __s8, s8, int8_t;
typedef unsigned short __u16, u16, uint16_t, __le16, __be16; typedef short __s16, s16, int16_t;
typedef unsigned int __u32, u32, uint32_t, __le32, __be32; typedef int __s32, s32, int32_t;
typedef unsigned long long __u64, u64, uint64_t, __le64, __be64; typedef long long __s64, s64, int64_t;
typedef __u64 __aligned_u64 __attribute__((aligned(8)));
#define struct_group(NAME, ...) union { struct { __VA_ARGS__ }; struct { __VA_ARGS__ } NAME; }
#define DECLARE_BITMAP(NAME, BITS) unsigned long NAME[((BITS) + 8 * sizeof(long) - 1) / (8 * sizeof(long))]
typedef __SIZE_TYPE__ size_t; typedef __UINTPTR_TYPE__ uintptr_t;
"""
# ---- gcc's answers

Answer = dict[str, Any]  # {"size": bytes, "align": bytes, "members": {path: [first bit, bits]}}


def gcc_answers(asked: list[Case], abi: str) -> list[Answer]:
    """What gcc says of each case; one compilation for all of them."""
    source = PRELUDE + HEADER + "".join(_questions(i, case) for i, case in enumerate(asked))
    with tempfile.TemporaryDirectory() as folder:
        found = compiled(source, FLAGS[abi], Path(folder), ["-ffreestanding", "-nostdinc"])
    return [_answer(i, case, found) for i, case in enumerate(asked)]


def _questions(i: int, case: Case) -> str:
    kind = f"{case.kind} {case.name}"
    numbers = [f"sizeof({kind})", f"_Alignof({kind})"]
    for path in case.paths:
        numbers += [f"__builtin_offsetof({kind}, {path})", f"sizeof((({kind} *)0)->{path})"]
    numbers += [f"__builtin_offsetof({kind}, {path})" for path in case.open_arrays]
    ones = [f"const {kind} b{i}_{j} = {{ .{path} = -1 }};\n" for j, path in enumerate(case.bits)]
    return f"{case.text}const unsigned n{i}[] = {{ {', '.join(numbers)} }};\n{''.join(ones)}"


def compiled(source: str, flag: str, folder: Path, more: list[str]) -> dict[str, bytes]:
    """The constants of a C text by name, read from the object file's .rodata."""
    (folder / "x.c").write_text(source)
    flags = [flag, "-w", "-Wno-packed-bitfield-compat", "-c", "-fno-pic", *more]
    subprocess.run(["gcc", *flags, "x.c", "-o", "x.o"], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".rodata", "x.o", "x.bin"], cwd=folder, check=True)
    listing = subprocess.check_output(["nm", "-S", "x.o"], cwd=folder, text=True)
    data = (folder / "x.bin").read_bytes()
    found = {}
    for line in listing.splitlines():
        start, size, _, name = line.split()
        found[name] = data[int(start, 16) : int(start, 16) + int(size, 16)]
    return found


def _answer(i: int, case: Case, found: dict[str, bytes]) -> Answer:
    raw = found[f"n{i}"]
    numbers: Iterator[int] = (int.from_bytes(raw[k : k + 4], "little") for k in range(0, len(raw), 4))
    size, align = next(numbers), next(numbers)
    members = {path: [8 * next(numbers), 8 * next(numbers)] for path in case.paths}
    members |= {path: [8 * next(numbers), 0] for path in case.open_arrays}
    for j, path in enumerate(case.bits):
        ones = int.from_bytes(found[f"b{i}_{j}"], "little")
        members[path] = [(ones & -ones).bit_length() - 1, ones.bit_count()]
    return {"size": size, "align": align, "members": members}


# ---- ours


def our_answer(text: str, name: str, abi: str) -> Answer:
    """The same from workbench.clayout.layout."""
    from workbench.clayout.layout import Abi, Layout, struct

    layout = struct(HEADER + text, name).on(Abi(abi))
    members = {}

    def visit(inner: Layout, prefix: str, start: int) -> None:
        for one in inner.fields:
            path = f"{prefix}{one.name}"
            members[path] = [start + one.bits.start, len(one.bits)]
            if isinstance(one.type, Layout):
                visit(one.type, f"{path}.", start + one.bits.start)

    visit(layout, "", 0)
    return {"size": layout.size, "align": layout.align, "members": members}


def differences(text: str, name: str, abi: str, truth: Answer) -> list[str]:
    """In words, where our layout is not gcc's; members of struct types seen from outside are ours alone."""
    ours = our_answer(text, name, abi)
    wrong = [f"{key}: {ours[key]}, gcc {truth[key]}" for key in ("size", "align") if ours[key] != truth[key]]
    for path, place in truth["members"].items():
        if ours["members"].get(path) != place:
            wrong.append(f"{path}: {ours['members'].get(path)}, gcc {place}")
    return wrong


# ---- commands


def write() -> None:
    """Record the golden data."""
    asked = cases(GOLDEN_COUNT, GOLDEN_SEED)
    by_abi = {abi: gcc_answers(asked, abi) for abi in FLAGS}
    records = [
        {"name": case.name, "text": case.text, **{abi: by_abi[abi][i] for abi in FLAGS}}
        for i, case in enumerate(asked)
    ]
    lines = [json.dumps(record, separators=(",", ":")) for record in records]
    GOLDEN.write_text("\n".join(lines) + "\n")


def check(count: int, seed: int) -> int:
    """Compare fresh structs on both ABIs; prints differences, returns their number."""
    asked, bad = cases(count, seed), 0
    for abi in FLAGS:
        for case, truth in zip(asked, gcc_answers(asked, abi), strict=True):
            wrong = differences(case.text, case.name, abi, truth)
            if wrong:
                bad += 1
                sys.stdout.write(f"{abi} {'; '.join(wrong)}\n{case.text}\n")
    sys.stdout.write(f"{count} structs (seed {seed}), {len(FLAGS)} ABIs: {bad} layouts differ from gcc\n")
    return bad


if __name__ == "__main__":
    if sys.argv[1:] == ["write"]:
        write()
    elif len(sys.argv) in (3, 4) and sys.argv[1] == "check":
        sys.exit(1 if check(int(sys.argv[2]), int((sys.argv[3:] or ["1"])[0])) else 0)
    else:
        sys.exit(__doc__)
