"""Structs as people paste them: each kind with the layout that gcc gives the plain text of the same struct."""

import pytest

from workbench.clayout.definitions import define
from workbench.clayout.layout import Abi, Struct, struct
from workbench.errors import LayoutError


def laid(text, name=None):
    """Return (name, first bit, bits) of the members on x86-64, nested ones behind their struct."""
    found = struct(text, name).on(Abi.X86_64)
    return [(field.name, field.bits.start, len(field.bits)) for field in found.fields]


def sizes(text, name=None):
    found = struct(text, name)
    return tuple(found.on(abi).size for abi in Abi)


QUOTED = """\
On Wed, Jan 26, 2011 at 12:34:56PM +0200, A Maintainer wrote:
> On 01/25/2011, an author wrote:
>> +struct area {
>> +\t__u64 base;
Why 64 bits? It can't be more than 32 on i386; what's this for?
>> +\t__u32 size;
>> +};
I don't think so.
"""


def test_a_mail_with_answers_between_the_quoted_lines():
    assert laid(QUOTED) == [("base", 0, 64), ("size", 64, 32)]


def test_an_answer_that_may_be_a_member_is_not_decided():
    text = "> struct a {\n>  u32 x;\nu64 y;\n> };\n> struct b {\n>  u8 z;\nhm\n> };\n"
    with pytest.raises(LayoutError, match="line 3: a line between the quoted ones may be a member"):
        struct(text, "a")
    assert sizes(text, "b") == (1, 1)


def test_a_reply_that_proposes_another_struct():
    text = "> struct a {\n>  u32 x;\n> };\nRather like this, isn't it:\n\nstruct a2 {\n\tu64 x;\n};\nRegards\n"
    assert (sizes(text, "a"), sizes(text, "a2"), struct(text).name) == ((4, 4), (8, 8), "a2")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("struct a { __virtio16 x; __virtio32 y; __virtio64 z; };", (16, 16)),
        ("struct a { __le32 n; __DECLARE_FLEX_ARRAY(__u64, x); };", (8, 4)),
        ("struct a { u32 n; union { DECLARE_FLEX_ARRAY(u8, x); DECLARE_FLEX_ARRAY(u64, y); }; };", (8, 4)),
        ("struct a { u8 k; struct_group(head, u16 x; u32 y;); u8 z; };", (16, 16)),
        ("struct a { struct_group_attr(head, __packed, u8 x; u32 y;); };", (5, 5)),
        ("struct a { struct_group_tagged(head, h, u8 x; u32 y;); struct head again; };", (16, 16)),
        ("struct a { DECLARE_BITMAP(seen, 65); };", (16, 12)),
        ("struct a { int (*call)(struct file *, unsigned int); void (*two[2])(void); };", (24, 12)),
        ("typedef int (*call_t)(void *);\nstruct a { u8 x; call_t y; };", (16, 8)),
        ("struct a { u32 (*x)[4]; };", (8, 4)),
        ("struct a { u8 x[sizeof(long)]; };", (8, 4)),
        ("struct h { u8 x[3]; u32 y; };\nstruct a { u8 p[64 - sizeof(struct h)]; };", (56, 56)),
        ("struct a { u8 x[(5 + 7) & ~7]; };", (8, 8)),
        ("#define ALIGN(x, a) (((x) + (a) - 1) & ~((a) - 1))\nstruct a { u8 x[ALIGN(9, 8)]; };", (16, 16)),
        ("struct a { u8 x[sizeof(void *) == 8 ? 3 : 5]; };", (3, 5)),
        ("struct a { u8 x; double y; float z; };", (24, 16)),
        ("struct a { u8 x; long double y; };", (32, 16)),
        ("struct a { long x : 33; u8 y; };", None),
        ("enum e : uint8_t { A, B };\nstruct a { enum e x; u16 y; };", (4, 4)),
        ("enum { N = 4 };\nstruct a { u16 x[N]; };", (8, 8)),
        ("typedef struct b b_t;\nstruct b { u64 x; };\nstruct a { b_t y; };", (8, 8)),
        ("typedef struct { u8 x; } a_t, *a_p;\nstruct a { a_t x; a_p y; };", (16, 8)),
        ("struct b { u64 x; };\ntypedef struct b b_t __aligned(4);\nstruct a { u32 x; b_t y; };", (12, 12)),
        ("#pragma pack(push, 1)\nstruct a { u8 x; u64 y; };\n#pragma pack(pop)\n", (9, 9)),
        ("#pragma pack(1)\nstruct b { u8 x; u64 y; };\n#pragma pack()\nstruct a { u8 x; u64 y; };", (16, 12)),
        ("struct a { alignas(16) u8 x; };", (16, 16)),
        ("struct a { u8 x; static_assert(sizeof(u8) == 1, \"no\"); u8 y; };", (2, 2)),
        ("struct a {\n#ifdef __x86_64__\n u64 x;\n#else\n u32 x, y, z;\n#endif\n};", (8, 12)),
        ("struct a {\n#if BITS_PER_LONG == 64\n u64 x;\n#endif\n u8 y;\n};", (16, 1)),
        ("struct a {\n#if defined(__LITTLE_ENDIAN_BITFIELD)\n u8 x:4, y:4;\n#else\n u8 y:4, x:4;\n#endif\n};", (1, 1)),
        ("#define X\nstruct a {\n#if !defined(X) || 0\n u64 x;\n#endif\n u8 y;\n};", (1, 1)),
        ("/**\n * struct a - x\n * @x: the 'x'\n */\nstruct a {\n\t/** @y: y */\n\tu32 x; // it's x\n};", (4, 4)),
        ("struct a { u8 x; } __attribute__((packed, may_alias));", (1, 1)),
        ("struct b { u8 x; } __attribute__((aligned(8)));\nstruct a { struct b b; u8 y; };", (16, 16)),
        ("struct a { union { struct { u32 lo, hi; }; u64 both; }; u8 z; };", (16, 12)),
        ("struct a { u32 n; struct { u8 a; u16 b; } x[]; };", (4, 4)),
        ("static inline int f(struct a *a)\n{\n\treturn a->x ? 'c' : \"}\"[0];\n}\nstruct a { u8 x; };", (1, 1)),
        ("int f(struct a *);\nextern int g;\nstruct a { u8 x; };\nstruct a *h(void);", (1, 1)),
    ],
)  # fmt: skip
def test_kinds_of_c(text, expected):
    if expected is None:
        with pytest.raises(LayoutError, match="bit-field width 33"):
            struct(text)
    else:
        assert sizes(text, "a") == expected


@pytest.mark.parametrize(
    "text",
    [
        "type = struct a {\n    int x;\n    long y;\n}\n",
        "/* offset    |  size */  type = struct a {\n/*    0  |  4 */    int x;\n/* 4-byte hole */\n"
        "/*    8  |  8 */    long y;\n   /* total size (bytes):   16 */\n  }\n",
        "struct a {\n\tint  x;   /*  0  4 */\n\n\t/* 4 bytes hole, try to pack */\n\n\tlong  y;  /*  8  8 */\n};\n",
        "4.29 KVM_GET\n------\n\n:Parameters: struct a (out)\n:Returns: 0, isn't it\n\n::\n\n  struct a {\n\tint x;\n"
        "\tlong y;\n  };\n\nThe rest is text.\n",
        "Hi,\n```c\nstruct a {\n  int x;\n  long y;\n};\n```\nthanks\n",
        "    @@ -1,2 +1,3 @@\n     struct a {\n    +\tint x;\n    -\tint z;\n     \tlong y;\n     };\n",
        "12:struct a {\n13-\tint x;\n14-\tlong y;\n15-};\n",
        "    12\tstruct a {\n    13\t\tint x;\n    14\t\tlong y;\n    15\t};\n",
        "| struct a {\n| \tint x;\n| \tlong y;\n| };\n",
        "> diff --git a/x b/x\n> @@ -1,2 +1,3 @@\n>  struct a {\n> +\tint x;\nNak, doesn't fit\n>  \tlong y;\n>  };\n",
        "EXPORT_SYMBOL(x)\nMODULE_LICENSE(\"GPL\")\nstruct a { int x; long y; };\nBUILD_BUG_ON(sizeof(struct a));\n",
        "namespace n {\nstruct a { std::int32_t x; long y; };\n}\n",
        "static const struct a t[] = {\n\t{ .x = 1 },\n};\nstruct a { int x; long y; };",
    ],
    ids=["gdb", "gdb-offsets", "pahole", "rst", "markdown", "indented-patch", "grep", "numbers", "pipes", "answer",
         "module", "c++", "table"],
)  # fmt: skip
def test_a_struct_however_it_comes(text):
    assert laid(text) == [("x", 0, 32), ("y", 64, 64)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("struct a { struct list_head l; struct rcu_head r; };", (32, 16)),
        ("struct list_head { u8 x; };\nstruct a { struct list_head l; };", (1, 1)),
        ("struct a { u32 n; u8 x[PAGE_SIZE - 4]; };", (4096, 4096)),
        ("#define PAGE_SIZE 16\nstruct a { u8 x[PAGE_SIZE]; };", (16, 16)),
    ],
)
def test_what_the_kernel_defines_elsewhere(text, expected):
    assert sizes(text, "a") == expected


def test_text_without_end_is_refused_soon():
    with pytest.raises(LayoutError, match="more than 1000 definitions cannot be read, the first one: line"):
        struct("struct a {\n" * 1100)


PARTLY = """\
struct bad {
\tfoo_t x;
};
struct needs { struct bad b; };
struct good { __u64 clock; __u32 flags; };
typedef struct { bar_t y; } worse_t;
struct last { __u8 z; };
"""


def test_a_definition_that_cannot_be_read_leaves_out_itself_and_what_needs_it():
    found = define(PARTLY)
    assert found.names == ["good", "last"]
    assert [one.names for one in found.left_out] == [("bad",), ("needs",), ("worse_t",)]
    assert found.left_out[0].told.startswith("bad: line 2: unknown type or attribute foo_t")
    assert "struct bad is left out: line 2: unknown type" in found.left_out[1].reason
    assert struct(PARTLY, "good").on(Abi.I386).size == 12
    for name in ("bad", "needs", "worse_t"):
        with pytest.raises(LayoutError, match="line"):
            struct(PARTLY, name)


def test_the_default_is_the_last_definition_even_if_it_is_left_out():
    with pytest.raises(LayoutError, match="unknown type or attribute foo_t"):
        struct("struct good { u8 x; };\nstruct bad { foo_t x; };\n")


def test_a_struct_that_does_not_end_costs_no_other_one():
    text = "struct open {\n\tu8 x;\n\nstruct good {\n\tu64 y;\n};\n"
    assert sizes(text, "good") == (8, 8)
    with pytest.raises(LayoutError, match=r"line 6: struct good without a member name, or a .}. is missing above"):
        struct(text, "open")


def test_words_between_definitions_are_skipped_and_loose_members_are_told():
    text = "Hi,\nI'd rather have\nstruct a { u8 x; };\nand \"this\" below:\n\tu32 lost;\n};\nstruct b { u8 y; };\n"
    found = define(text)
    assert found.names == ["a", "b"]
    assert [one.line for one in found.left_out] == [4, 6]


@pytest.mark.parametrize(
    ("condition", "certain"),
    [
        ("#ifdef CONFIG_SMP", False),
        ("#if defined(__linux__) || defined(CONFIG_SMP)", True),
        ("#if defined(CONFIG_SMP) && 0", True),
        ("#if defined(A) && !defined(B)", False),
        ("#if NR_CPUS > 4", False),
        ("#ifdef __cplusplus", True),
        ("#if 0", True),
    ],
)
def test_a_condition_is_decided_only_if_it_is_certain(condition, certain):
    text = f"struct a {{\n\tu8 x;\n{condition}\n\tu8 y;\n#endif\n}};"
    found = define(text)
    assert bool(found.left_out) != certain
    if not certain:
        assert "this condition is not certain, keep one branch or give --define NAME" in found.left_out[0].reason


def test_a_defined_name_decides_a_condition():
    text = "struct a {\n\tu8 x;\n#ifdef CONFIG_SMP\n\tu8 y;\n#endif\n};"
    assert Struct(define(text, defines=["CONFIG_SMP"]).find()).on(Abi.I386).size == 2
    with pytest.raises(LayoutError, match="line 3: #ifdef inside struct a"):
        struct(text)


def test_a_struct_of_one_abi_only():
    found = struct("#ifdef __i386__\nstruct old { long x; };\n#endif\n")
    assert found.abis == (Abi.I386,)
    with pytest.raises(LayoutError, match="struct old is not defined on x86-64"):
        found.on(Abi.X86_64)


def test_macros_cannot_grow_without_bound():
    text = "#define A0 1\n" + "".join(f"#define A{i + 1} A{i} A{i} A{i} A{i} A{i}\n" for i in range(30))
    with pytest.raises(LayoutError, match="macros expand to more than"):
        struct(text + "struct a { u8 x[A30]; };")
