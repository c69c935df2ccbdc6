"""Random C structs and what gcc says of them: the golden data of the layout tests, and their oracle.

    python tests/golden/layouts/make.py write               # writes random.jsonl next to this file
    python tests/golden/layouts/make.py check 4000 [SEED]   # fresh structs, ours against gcc, both ABIs

gcc compiles to an object file only, so -m32 needs no 32-bit libraries. The answers stand in it as constants:
sizes, alignments and offsets in one array per struct, and one object per bit-field whose bits are all ones.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = Path(__file__).with_name("random.jsonl")
GOLDEN_COUNT, GOLDEN_SEED = 300, 2011
FLAGS = {"x86-64": "-m64", "i386": "-m32"}

_PRELUDE = """
#define __packed __attribute__((packed))
#define __aligned(n) __attribute__((aligned(n)))
#define __user
typedef _Bool bool;
typedef unsigned char __u8, u8, uint8_t; typedef signed char __s8, s8, int8_t;
typedef unsigned short __u16, u16, uint16_t, __le16, __be16; typedef short __s16, s16, int16_t;
typedef unsigned int __u32, u32, uint32_t, __le32, __be32; typedef int __s32, s32, int32_t;
typedef unsigned long long __u64, u64, uint64_t, __le64, __be64; typedef long long __s64, s64, int64_t;
typedef __u64 __aligned_u64 __attribute__((aligned(8)));
typedef __SIZE_TYPE__ size_t; typedef __UINTPTR_TYPE__ uintptr_t;
"""
_BIT_TYPES = {
    "__u8": 8, "s8": 8, "char": 8, "unsigned char": 8, "__u16": 16, "short": 16, "__s16": 16, "__u32": 32,
    "int": 32, "unsigned": 32, "s32": 32, "__u64": 64, "long long": 64, "uint64_t": 64, "unsigned long": 32,
    "long": 32, "bool": 1, "enum kind": 32, "__le32": 32,
}  # fmt: skip
_TYPES = [
    *_BIT_TYPES, "u8", "u16", "uint32_t", "u64", "__s64", "int64_t", "__le16", "__be16", "__be32", "__le64",
    "__be64", "__aligned_u64", "unsigned int", "unsigned short int", "long unsigned int", "signed char",
    "unsigned long long int", "size_t", "uintptr_t", "_Bool", "const __u32", "stamp_t", "loose_t",
]  # fmt: skip


HEADER = """\
#define N 4
enum { TWO = 2 };
enum kind { FIRST, SECOND };
typedef __u64 stamp_t __attribute__((aligned(8)));
typedef __u64 __attribute__((aligned(4))) loose_t;
"""


@dataclass
class Case:
    """A text whose last struct or union is ``name``; ``paths`` are its members, ``bits`` its bit-fields."""

    name: str
    kind: str
    text: str = ""
    paths: list[str] = field(default_factory=list)
    bits: list[str] = field(default_factory=list)
    open_arrays: list[str] = field(default_factory=list)


class Generator:
    """Writes one random text; ``number`` makes its names unique among the others of one compilation."""

    def __init__(self, rng: random.Random, number: int) -> None:
        self._rng = rng
        self._number = number
        self._names = 0
        self._earlier: list[Case] = []

    def case(self) -> Case:
        texts = []
        names = ["part", "whole"] if self._chance(40) else ["whole"]
        for name in names:
            case = Case(f"{name}{self._number}", "union" if self._chance(8) else "struct")
            before, after = self._struct_attributes()
            body = "\n".join(f"\t{line}" for line in self._body(case, case, 0, ""))
            texts.append(f"{case.kind}{before} {case.name} {{\n{body}\n}}{after};\n")
            self._earlier.append(case)
        last = self._earlier[-1]
        last.text = "".join(texts)
        return last

    def _chance(self, percent: int) -> bool:
        return self._rng.random() * 100 < percent

    def _struct_attributes(self) -> tuple[str, str]:
        """What stands before the tag, and what after the closing brace."""
        packed = ["__packed", "__attribute__((packed))", "__attribute__((__packed__))"]
        parts = [self._rng.choice(packed)] if self._chance(18) else []
        parts += [self._align()] if self._chance(12) else []
        text = "".join(f" {part}" for part in parts)
        return (text, "") if self._chance(40) else ("", text)

    def _align(self) -> str:
        n = self._rng.choice([1, 2, 4, 8, 16, 32])
        forms = [f"__aligned({n})", f"__attribute__((aligned({n})))"]
        return self._rng.choice([*forms * 3, "__attribute__((aligned))"])

    def _body(self, case: Case, known: Case, depth: int, prefix: str) -> list[str]:
        """Member lines of a struct; ``known`` takes the paths to them that gcc can be asked about."""
        lines: list[str] = []
        for _ in range(self._rng.randint(1, 4 if depth else 7)):
            lines += self._member(known, depth, prefix)
        if case.kind == "struct" and depth == 0 and self._names > 1 and known.paths and self._chance(10):
            name = self._name()
            known.open_arrays.append(prefix + name)
            lines.append(f"{self._rng.choice(_TYPES)} {name}[];")
        return lines

    def _name(self) -> str:
        self._names += 1
        return f"m{self._names}"

    def _new(self, paths: list[str], prefix: str) -> str:
        paths.append(prefix + self._name())
        return paths[-1].rpartition(".")[2]

    def _member(self, known: Case, depth: int, prefix: str) -> list[str]:
        pick = self._rng.random() * 100
        if pick < 30:
            return [self._bit_field(known, prefix) for _ in range(self._rng.randint(1, 4))]
        if pick < 42 and depth < 2:
            return self._nested(known, depth, prefix)
        if pick < 47 and self._earlier:
            earlier = self._rng.choice(self._earlier)
            return [f"{earlier.kind} {earlier.name} {self._new(known.paths, prefix)}{self._dimensions(30)};"]
        if pick < 53:
            pointer = self._rng.choice(["void *", "struct elsewhere *", "const char **", "__u64 __user *"])
            return [f"{pointer}{self._new(known.paths, prefix)}{self._dimensions(20)};"]
        return [self._plain(known, prefix)]

    def _plain(self, known: Case, prefix: str) -> str:
        before, after = "", ""
        if self._chance(10):
            before = self._rng.choice(["__packed ", "__attribute__((aligned(4))) ", "__aligned(8) "])
        elif self._chance(15):
            after = f" {self._rng.choice(['__packed', self._align(), self._align()])}"
        kind = self._rng.choice(_TYPES)
        declarators = [f"{self._new(known.paths, prefix)}{self._dimensions(25)}{after}"]
        if self._chance(12):
            declarators.append(f"{self._new(known.paths, prefix)}{self._dimensions(20)}")
        return f"{before}{kind} {', '.join(declarators)};"

    def _dimensions(self, percent: int) -> str:
        sizes = ["[3]", "[N]", "[2][3]", "[2 * N - 1]", "[0]", "[1 << 2]", "[5][1][2]", "[TWO]"]
        return self._rng.choice(sizes) if self._chance(percent) else ""

    def _bit_field(self, known: Case, prefix: str) -> str:
        kind = self._rng.choice(list(_BIT_TYPES))
        width = self._rng.randint(1, _BIT_TYPES[kind])
        pick = self._rng.random() * 100
        if pick < 7:
            return f"{kind} : 0;"
        if pick < 16:
            return f"{kind} : {width};"
        packed = " __packed" if self._chance(8) else ""
        return f"{kind} {self._new(known.bits, prefix)} : {width}{packed};"

    def _nested(self, known: Case, depth: int, prefix: str) -> list[str]:
        before, after = self._struct_attributes()
        kind = self._rng.choice(["struct", "union"])
        name, dims, suffix, inside = "", "", "", prefix
        if self._chance(60):
            name = f" {self._new(known.paths, prefix)}"
            dims = self._dimensions(30)
            suffix = f" {self._align()}" if self._chance(8) else ""
            inside = f"{prefix}{name.strip()}."
        here = Case("", kind)
        body = self._body(here, here if dims else known, depth + 1, inside)
        return [f"{kind}{before} {{", *(f"\t{line}" for line in body), f"}}{after}{name}{dims}{suffix};"]


def cases(count: int, seed: int) -> list[Case]:
    """``count`` random texts, always the same ones for a seed."""
    rng = random.Random(seed)
    return [Generator(rng, number).case() for number in range(count)]


# ---- gcc's answers

Answer = dict[str, Any]  # {"size": bytes, "align": bytes, "members": {path: [first bit, bits]}}


def gcc_answers(asked: list[Case], abi: str) -> list[Answer]:
    """What gcc says of each case; one compilation for all of them."""
    source = _PRELUDE + HEADER + "".join(_questions(i, case) for i, case in enumerate(asked))
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
    sys.path.insert(0, str(ROOT))
    if sys.argv[1:] == ["write"]:
        write()
    elif len(sys.argv) in (3, 4) and sys.argv[1] == "check":
        sys.exit(1 if check(int(sys.argv[2]), int((sys.argv[3:] or ["1"])[0])) else 0)
    else:
        sys.exit(__doc__)
