"""Random C structs of every kind that the layout rules tell apart, with the members that gcc can be asked about."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

_BIT_TYPES = {
    "__u8": 8, "s8": 8, "char": 8, "unsigned char": 8, "__u16": 16, "short": 16, "__s16": 16, "__u32": 32,
    "int": 32, "unsigned": 32, "s32": 32, "__u64": 64, "long long": 64, "uint64_t": 64, "unsigned long": 32,
    "long": 32, "bool": 1, "enum kind": 32, "__le32": 32,
}  # fmt: skip
_TYPES = [
    *_BIT_TYPES, "u8", "u16", "uint32_t", "u64", "__s64", "int64_t", "__le16", "__be16", "__be32", "__le64",
    "__be64", "__aligned_u64", "unsigned int", "unsigned short int", "long unsigned int", "signed char",
    "unsigned long long int", "size_t", "uintptr_t", "_Bool", "const __u32", "stamp_t", "loose_t", "float", "double",
    "long double", "call_t", "pair_t",
]  # fmt: skip


HEADER = """\
#define N 4
enum { TWO = 2 };
enum kind { FIRST, SECOND };
typedef __u64 stamp_t __attribute__((aligned(8)));
typedef __u64 __attribute__((aligned(4))) loose_t;
typedef int (*call_t)(void *, struct elsewhere *);
typedef struct { __u8 first; __u64 second; } pair_t;
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
        self._aligned = ""

    def case(self) -> Case:
        texts = []
        names = ["part", "whole"] if self._chance(40) else ["whole"]
        for name in names:
            case = Case(f"{name}{self._number}", "union" if self._chance(8) else "struct")
            before, after = self._struct_attributes()
            body = "\n".join(f"\t{line}" for line in self._body(case, case, 0, ""))
            text = f"{case.kind}{before} {case.name} {{\n{body}\n}}{after};\n"
            if self._chance(8):
                text = f"#pragma pack(push, {self._rng.choice([1, 2, 4, 8])})\n{text}#pragma pack(pop)\n"
            if name == "part" and self._chance(40):
                align = self._rng.choice([1, 2, 4, 8, 16])
                text += f"typedef {case.kind} {case.name} {case.name}_t __attribute__((aligned({align})));\n"
                self._aligned = f"{case.name}_t"
            texts.append(text)
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
        if pick < 49 and self._aligned:
            return [f"{self._aligned} {self._new(known.paths, prefix)};"]
        if pick < 51:
            return [self._pointed(known, prefix)]
        if pick < 53:
            return self._kernel_macro(known, prefix)
        if pick < 57:
            pointer = self._rng.choice(["void *", "struct elsewhere *", "const char **", "__u64 __user *"])
            return [f"{pointer}{self._new(known.paths, prefix)}{self._dimensions(20)};"]
        return [self._plain(known, prefix)]

    def _pointed(self, known: Case, prefix: str) -> str:
        """A pointer whose declarator has parentheses."""
        forms = ["int (*{})(void *, int);", "void (*{}[3])(void);", "__u32 (*{})[4];", "char *(*const {})(void);"]
        return self._rng.choice(forms).format(self._new(known.paths, prefix))

    def _kernel_macro(self, known: Case, prefix: str) -> list[str]:
        kind = self._rng.choice(["__u8", "__u16", "__u32", "__u64"])
        if self._chance(50):
            group = self._new(known.paths, prefix)
            first, second = self._new(known.paths, prefix), self._new(known.paths, prefix)
            return [f"struct_group({group}, {kind} {first}; char {second}[3];);"]
        return [f"DECLARE_BITMAP({self._new(known.paths, prefix)}, {self._rng.randint(1, 130)});"]

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
        sizes = [
            "[3]", "[N]", "[2][3]", "[2 * N - 1]", "[0]", "[1 << 2]", "[5][1][2]", "[TWO]",
            "[sizeof(long)]", "[sizeof(pair_t)]", "[64 - sizeof(struct { __u8 x; __u64 y; })]", "[(N + 7) & ~7]",
        ]  # fmt: skip
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
