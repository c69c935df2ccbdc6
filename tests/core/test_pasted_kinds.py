"""More kinds of C as it is pasted: laid out as gcc lays out the plain text, or refused with the line."""

import re
import shutil
from pathlib import Path

import pytest

from tests.golden.layouts import make
from workbench.clayout.definitions import define
from workbench.clayout.layout import Abi, Struct
from workbench.errors import LayoutError

#: (what it is, the sizes that gcc gives on x86-64 and i386, the text, and the plain C if that is another)
KINDS = [
    one if len(one) == 4 else (*one, one[2])
    for one in (
        ("nested anon unions", (24, 16),
         "struct a { u8 t; union { struct { u8 x; union { u16 y; u32 z; }; }; u64 w; }; u8 e; };"),
        ("bits across units", (32, 24),
         "struct a { u32 x:30, y:5, z:29; u8 w:7; u8 v:2; u64 u:40, t:30; };"),
        ("zero width bits", (6, 6),
         "struct a { u8 x:3; u8 :0; u8 y:2; u32 :0; u16 z:9; };"),
        ("unnamed bits", (8, 8),
         "struct a { u32 x:4, :20, y:8; u32 :12; u8 z; };"),
        ("attr before tag", (5, 5),
         "struct __attribute__((packed)) a { u8 x; u32 y; };"),
        ("attr after", (6, 6),
         "struct a { u8 x; u32 y; } __attribute__((__packed__, __aligned__(2)));"),
        ("attr member before", (32, 32),
         "struct a { u8 x; __attribute__((aligned(16))) u32 y; };"),
        ("attr member type", (32, 32),
         "struct a { u8 x; u32 __attribute__((aligned(16))) y; };"),
        ("attr member after", (32, 32),
         "struct a { u8 x; u32 y __attribute__((packed)); u64 z __aligned(16); };"),
        ("attr on one declarator", (16, 16),
         "struct a { u8 x; u32 y __aligned(8), z; };"),
        ("attr first of several", (24, 24),
         "struct a { u8 x; __attribute__((aligned(8))) u32 y, z; };"),
        ("attr empty", (8, 8),
         "struct a { u8 x __attribute__(()); u32 y; } __attribute__(());"),
        ("attr on inner", (8, 8),
         "struct a { u8 q; struct { u8 x; u32 y; } __packed in; u16 z; };"),
        ("attr on anon", (8, 8),
         "struct a { u8 q; struct __packed { u8 x; u32 y; }; u16 z; };"),
        ("attr aligned bare", (16, 16),
         "struct a { u8 x; u32 y; } __attribute__((aligned));"),
        ("macro sizes", (66, 66),
         "#define N 4\n#define M (N*2+1)\n#define K(x) ((x)<<1)\nstruct a { u8 x[M]; u16 y[K(N)][3]; "
         "u8 z[sizeof(u16)*N]; };"),
        ("flex of struct", (8, 4),
         "struct b { u64 x; };\nstruct a { u8 n; struct b x[]; };"),
        ("zero array", (8, 4),
         "struct a { u32 n; u64 x[0]; };"),
        ("enum members", (12, 12),
         "enum e { A, B = 300 };\nstruct a { u8 q; enum e x; enum { C } y:3; };"),
        ("enum packed", (2, 2),
         "enum __attribute__((packed)) e { A, B };\nstruct a { u8 q; enum e x; };"),
        ("enum packed after", (4, 4),
         "enum e { A, B=300 } __attribute__((packed));\nstruct a { u8 q; enum e x; };"),
        ("enum count", (8, 8),
         "enum { A, B, N_MAX };\nstruct a { u32 x[N_MAX]; };"),
        ("func pointers", (48, 24),
         "struct a { void (*f)(int, struct a *); int (*g[3])(void); u8 (*(*h)(int))[4]; u8 z; };"),
        ("typedef array", (14, 14),
         "typedef u16 v_t[3];\nstruct a { u8 q; v_t x[2]; };"),
        ("comments with braces", (8, 8),
         "struct a { /* } { struct b { */ u8 x; // }; struct c {\n u32 y; /* \" ' */ };"),
        ("line cont", (8, 8),
         "struct a { u8 x; // comment \\\n u16 hidden;\n u32 y; };"),
        ("line cont 2", (8, 8),
         "#define F \\\n\tu8 x; \\\n\tu32 y;\nstruct a { F };"),
        ("cr only", (8, 8),
         "struct a {\r\tu8 x;\r\tu32 y;\r};\r",
         "struct a { u8 x; u32 y; };"),
        ("trailing garbage", (8, 8),
         "struct a { u8 x; u32 y; };\n\n---\n2.39.5\n\n_______________\nkvm mailing list\n%$#@ }}} ((",
         "struct a { u8 x; u32 y; };"),
        ("leading garbage", (8, 8),
         "On Mon, a wrote:\n(((\n'\"\nstruct a { u8 x; u32 y; };",
         "struct a { u8 x; u32 y; };"),
        ("two same name same", (1, 1),
         "struct a { u8 x; };\nstruct a { u8 x; };",
         "struct a { u8 x; };"),
        ("same name two hunks", (2, 2),
         "@@ -1,3 +1,3 @@\n struct a {\n-\tu8 x;\n+\tu16 x;\n };\n@@ -10,3 +10,3 @@\n struct b "
         "{\n-\tu8 x;\n+\tu32 x;\n };\n",
         "struct a { u16 x; };"),
        ("quoted initials", (8, 8),
         "AB> struct a {\nAB>  u8 x;\nAB>  u32 y;\nAB> };",
         "struct a { u8 x; u32 y; };"),
        ("quoted bar", (8, 8),
         "| > struct a {\n| >  u8 x;\n| >  u32 y;\n| > };",
         "struct a { u8 x; u32 y; };"),
        ("wrapped quote", (8, 8),
         "> struct a {\n>  __attribute__((aligned(8)))\n> u8 x;\n>  u32 /* a comment that was\n"
         "> wrapped */ y;\n> };",
         "struct a { __attribute__((aligned(8))) u8 x; u32 y; };"),
        ("multi line decl", (16, 16),
         "struct\na\n{\nu8\nx\n;\nu32\ny\n,\nz\n[\n2\n]\n;\n}\n;"),
        ("array hex suffix", (30, 30),
         "struct a { u8 x[0x10UL]; u8 y[010]; u8 z[2u*3]; };"),
        ("nbsp", (8, 8),
         "struct a {\n\xa0\xa0u8 x;\n\xa0\xa0u32\xa0y;\n};",
         "struct a { u8 x; u32 y; };"),
        ("zero width", (8, 8),
         "struct a {\u200b u8 x; u32 y; };",
         "struct a { u8 x; u32 y; };"),
        ("line numbers colon", (8, 8),
         "  10: struct a {\n  11: \tu8 x;\n  12: \tu32 y;\n  13: };",
         "struct a { u8 x; u32 y; };"),
        ("git blame", (1, 1),
         "^1da177e4c3f4 (Linus 2005-04-16 15:20:36 -0700 10) struct a {\n^1da177e4c3f4 (Linus "
         "2005-04-16 15:20:36 -0700 11) \tu8 x;\n^1da177e4c3f4 (Linus 2005-04-16 15:20:36 -0700 "
         "12) };",
         "struct a { u8 x; };"),
        ("ctags diff --cc", (8, 8),
         "@@@ -1,3 -1,3 +1,4 @@@\n  struct a {\n++\tu8 x;\n +\tu32 y;\n  };",
         "struct a { u8 x; u32 y; };"),
        ("context diff no newline", (4, 4),
         "@@ -1,3 +1,3 @@\n struct a {\n-\tu8 x;\n+\tu32 x;\n };\n\\ No newline at end of file\n",
         "struct a { u32 x; };"),
        ("var of struct", (8, 8),
         "struct a { u8 x; u32 y; } instance, *pointer, array[3];"),
        ("init", (8, 8),
         "struct a { u8 x; u32 y; } z = { .x = 1, .y = { 2 } };",
         "struct a { u8 x; u32 y; };"),
        ("packed union", (5, 5),
         "union a { u8 x[5]; u32 y; } __packed;"),
        ("packed bits", (8, 8),
         "struct a { u8 x:3; u32 y:17; u64 z:44; } __packed;"),
        ("pack 2", (10, 10),
         "#pragma pack(2)\nstruct a { u8 x; u64 y; };\n#pragma pack()\n"),
        ("alias typedef attr", (12, 12),
         "typedef u64 __attribute__((aligned(4))) al;\nstruct a { u32 x; al y; };"),
    )
]  # fmt: skip
IDS = [one[0] for one in KINDS]


@pytest.mark.parametrize(("sizes", "text"), [one[1:3] for one in KINDS], ids=IDS)
def test_a_kind_of_paste_is_laid_out(sizes, text):
    found = Struct(define(text).find("a"))
    assert tuple(found.on(abi).size for abi in Abi) == sizes


@pytest.mark.slow
@pytest.mark.parametrize(("sizes", "plain"), [(one[1], one[3]) for one in KINDS], ids=IDS)
def test_the_sizes_are_those_of_gcc(sizes, plain, tmp_path):
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    assert tuple(_gcc(plain, abi, tmp_path) for abi in Abi) == sizes


def _gcc(plain: str, abi: Abi, folder: Path) -> int:
    kind = "union" if plain.startswith("union") else "struct"
    source = f"{make.PRELUDE}\n{plain}\nconst unsigned n[] = {{ sizeof({kind} a) }};\n"
    answer = make.compiled(source, make.FLAGS[abi.label], folder, ["-ffreestanding", "-nostdinc"])["n"]
    return int.from_bytes(answer, "little")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("struct a { u8 x; };\nstruct a { u32 x; };",
         "line 2: struct a is defined twice, differently"),
        ("struct a { u8 x[sizeof(struct undefined)]; };",
         "line 1: struct undefined is not in the text"),
        ("struct a { u8 x;",
         "line 1: struct a of line 1 is not closed"),
        ("struct a { u8 x u32 y; };",
         "line 1: unknown attribute u32"),
        ("struct a { u8 x[-1]; };",
         "line 1: array of -1 elements"),
        ("struct a { u8 x[n]; };",
         "line 1: unknown constant 'n'"),
        ("struct a { u8 x; u8 x; };",
         "line 1: member x stands twice in struct a"),
        ("struct b;\nstruct a { struct b x; };",
         "line 2: struct b is not in the text"),
        ("struct a { u8 x; struct a y; };",
         "line 1: struct a is not in the text"),
        ("struct a { int f(void); };",
         "line 1: int (void) has no size"),
        ("struct a { u8 x[1<<40]; };",
         "line 1: struct a is too large"),
        ("struct a { u8 x[1/0]; };",
         "line 1: division by zero"),
        ("struct a {\n#ifdef CONFIG_FOO\n u8 x;\n#endif\n u32 y; };",
         "line 2: #ifdef inside struct a: this condition is not certain, keep one branch or give "
         "--define NAME"),
        ("@@ -1,5 +1,1 @@\n-struct a {\n-\tu8 x;\n-};\n int z;\n",
         "no struct a in the text; it defines: none"),
        ("struct a {\n<<<<<<< HEAD\n\tu8 x;\n=======\n\tu32 x;\n>>>>>>> b\n};",
         "line 2: expected a type, found '<<'"),
        ("struct a {\n#pragma pack(1)\n u8 x; u32 y;\n#pragma pack()\n};",
         "line 2: #pragma pack(1) inside struct a"),
        ("struct a { u8 x; } __attribute__((ms_struct));",
         "line 1: unknown attribute ms_struct"),
        ("struct a { u32 x; } __attribute__((scalar_storage_order(\"big-endian\")));",
         "line 1: unknown attribute scalar_storage_order"),
        ("struct a { u32 x __attribute__((vector_size(16))); };",
         "line 1: unknown attribute vector_size"),
        ("struct a { int x __attribute__((mode(DI))); };",
         "line 1: unknown attribute mode"),
        ("extern \"C\" { struct a { u8 x; u32 y; }; }",
         "line 1: struct a stands inside of other code, which is not read"),
        ("<pre>struct a {\n  u8 x;\n  u32 y;\n};</pre>",
         "line 1: struct a stands inside of other code, which is not read"),
        ("void f(struct a { u8 x; u32 y; } *p);",
         "line 1: struct a stands inside of other code, which is not read"),
        ("int f(void)\n{\n\tstruct a { u8 x; u32 y; } z;\n\treturn 0;\n}",
         "line 3: struct a stands inside of other code, which is not read"),
        ("struct a { u8 x:3; u32 y:4 __aligned(8); };",
         "line 1: aligned on a bit-field"),
        ("struct a { u8 x; void * __attribute__((aligned(16))) p; };",
         "line 1: expected a member name, found '__attribute__'"),
        ("struct b { u64 y; };\nstruct a { u8 q; typeof(u16) x; __typeof__(struct b) z; };",
         "line 2: unknown type or attribute typeof"),
        ("struct b { u8 x; u64 y; };\nstruct a { u8 x[__builtin_offsetof(struct b, y)]; };",
         "line 2: unknown constant '__builtin_offsetof'"),
        ("struct b { u8 x; u64 y[3]; };\nstruct a { u8 x[sizeof(((struct b *)0)->y)]; };",
         "line 2: expected a type, found '(' in sizeof"),
        ("struct a {\n&gt; u8 x;\n};",
         "line 2: expected a type, found '&'"),
        ("struct a {=20\n\tu8 x;\n\tu32 =\ny;\n};",
         "line 1: expected a type, found '='"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(text, message):
    with pytest.raises(LayoutError, match=re.escape(message)):
        Struct(define(text).find("a")).on(Abi.X86_64)


def test_a_struct_that_is_defined_is_found_also_if_it_stands_inside_of_other_code():
    text = "void f(void)\n{\n\tstruct a { u64 x; } y;\n}\nstruct a { u8 x; };\n"
    assert Struct(define(text).find("a")).on(Abi.X86_64).size == 1


@pytest.mark.parametrize(
    ("values", "size"),
    [("A = 255", 1), ("A = 256", 2), ("A = -1, B = 127", 1), ("A = -1, B = 128", 2), ("A = -128", 1), ("A = -129", 2),
     ("A = 65536", 4), ("A = -1, B = 0x7fffffff", 4)],
)  # fmt: skip
def test_a_packed_enum_is_as_small_as_its_values_allow(values, size):
    for text in (f"enum e {{ {values} }} __packed;", f"enum __attribute__((packed)) e {{ {values} }};"):
        assert Struct(define(f"{text}\nstruct a {{ enum e x; }};").find("a")).on(Abi.I386).size == size
