"""How pasted C text is read, and which text is refused: with its line number, never guessed."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workbench.clayout.layout import Abi, struct
from workbench.errors import LayoutError

PATCH = """\
diff --git a/arch/x86/include/asm/kvm_para.h b/arch/x86/include/asm/kvm_para.h
index a427bf7..b0b0ee0 100644
--- a/arch/x86/include/asm/kvm_para.h
+++ b/arch/x86/include/asm/kvm_para.h
@@ -21,6 +21,7 @@

 /* The last 8 bits are used to indicate how to interpret the flags field
  * in pvclock structure. If no bits are set, all flags are ignored.
@@ -35,6 +36,16 @@
 #define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01

+#define MSR_KVM_REGISTER_MEM_AREA 0x4b564d03
+#define PAD 3 /* not enough */
+struct kvm_memory_area {
+\t__u64 base;
+\t__u32 size;
-\t__u64 type;
+\t__u32 type;
+\t__u8 result; // filled by the host
+\t__u8 pad[PAD];
+};
--
1.7.2.3
"""
PLAIN = "struct kvm_memory_area { __u64 base; __u32 size; __u32 type; __u8 result; __u8 pad[3]; }"


def names(text, name=None):
    return [field.name for field in struct(text, name).on(Abi.X86_64).fields]


def sizes(text, name=None):
    return tuple(struct(text, name).on(abi).size for abi in (Abi.X86_64, Abi.I386))


def offsets(text):
    return [field.offset for field in struct(text).on(Abi.X86_64).fields]


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PATCH,
        "\n".join(f"> {line}" for line in PATCH.splitlines()),
        "\n".join(f"> > {line}" for line in PATCH.splitlines()),
        PATCH.replace("\n", "\r\n"),
        "\n".join("+" + line for line in PLAIN.split("\n")),
        PLAIN.replace("; ", ";\n\t/* a comment\n over lines */ "),
        PLAIN.replace(" ", "\N{NO-BREAK SPACE}"),
        "#include <linux/types.h>\n#ifndef GUARD\n#define GUARD\n" + PLAIN + ";\n#endif /* GUARD */\n",
    ],
)
def test_the_2011_descriptor_however_it_is_pasted(text):
    assert names(text) == ["base", "size", "type", "result", "pad"]
    assert sizes(text) == (24, 20)


def test_a_patch_gives_its_new_side():
    old_and_new = "-struct a {\n-\tu8 old;\n+struct a {\n+\tu16 new;\n \tu16 kept;\n };\n"
    assert names(old_and_new) == ["new", "kept"]


def test_the_hunk_of_a_context_comment_does_not_swallow_the_next():
    begins_inside = "@@ -1 +1 @@\n  * the end of a comment\n  */\n+struct a { u32 x; };\n"
    assert sizes(begins_inside) == (4, 4)


def test_names_choose_and_the_last_definition_is_the_default():
    text = "struct a { u8 x; };\nstruct b { struct c { u32 z; } y; };\ntypedef struct { u64 w; } d_t;\n"
    assert struct(text).name == "d_t"
    assert [sizes(text, name) for name in ("a", "b", "c", "d_t")] == [(1, 1), (4, 4), (4, 4), (8, 8)]
    with pytest.raises(LayoutError, match="no struct e in the text; it defines: c, a, b, d_t"):
        struct(text, "e")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("4", 4), ("0x10", 16), ("010", 8), ("4UL", 4), ("N", 6), ("TWICE", 12), ("LAST + 1", 4), ("(N - 2) * 3", 12),
        ("1 << 4 | 3", 19), ("7 / 2", 3), ("-7 + 9", 2), ("29 % 8", 5), ("10 - 2 - 3", 5),
        ("6 & 3 ^ 1", 3), ("255 >> 4", 15),
    ],
)  # fmt: skip
def test_array_sizes_are_computed_as_c_does(expression, value):
    head = "#define N 6\n#define TWICE (2 * N)\nenum { FIRST = 2, LAST };\n"
    text = f"{head}struct a {{ u8 x[{expression}]; }};"
    assert sizes(text) == (value, value)


def test_macros_expand_as_the_preprocessor_does():
    text = (
        "#define __packed __attribute__((__packed__))\n#define HEAD u8 kind; \\\n\tu32 flags;\n"
        "#define SELF SELF\nstruct a { HEAD } __packed;"
    )
    assert offsets(text) == [0, 1]


def test_types_that_the_text_itself_defines():
    text = (
        "typedef unsigned int __u32;\ntypedef __u64 gpa_t;\ntypedef u64 __attribute__((aligned(8))) stamp_t;\n"
        "typedef char name_t[12];\nenum mode { OFF, ON };\n"
        "struct a { u32 head; gpa_t gpa; enum mode mode; name_t name; stamp_t stamp; };"
    )
    layout = struct(text).on(Abi.I386)
    assert [(f.ctype, f.offset) for f in layout.fields] == [
        ("u32", 0), ("gpa_t", 4), ("enum mode", 12), ("char[12]", 16), ("stamp_t", 32),
    ]  # fmt: skip


def test_declarators_of_one_declaration():
    text = "struct a { const unsigned x, *y, z[2][3]; struct elsewhere __user * const p; u32 : 4, w : 4; };"
    layout = struct(text).on(Abi.X86_64)
    assert [(f.name, f.ctype, f.offset) for f in layout.fields] == [
        ("x", "unsigned int", 0), ("y", "unsigned int *", 8), ("z", "unsigned int[2][3]", 16),
        ("p", "struct elsewhere *", 40), ("w", "u32", 48),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("struct a { u8 x; u64 y; } __packed;", 9),
        ("struct __packed a { u8 x; u64 y; };", 9),
        ("struct a { u8 x; u64 y; } __attribute__((packed));", 9),
        ("struct a { u8 x; u64 y __packed; };", 9),
        ("struct a { u8 x; __packed u64 y; };", 9),
        ("struct a { u8 x; u64 y; } __attribute__((packed, aligned(4)));", 12),
        ("struct a { u8 x; u64 y __aligned(32); };", 64),
        ("struct a { u8 x; } __attribute__((aligned));", 16),
        ("struct a { u8 x; } __attribute__((__aligned__(64)));", 64),
        ("struct a { u8 x; __aligned_u64 y; };", 16),
    ],
)
def test_packed_and_aligned_are_honoured_wherever_they_stand(form, expected):
    assert sizes(form)[0] == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no struct definition in the text"),
        ("struct a {\n\tu32 x[FOO];\n};", "line 2: unknown constant 'FOO' (allowed: numbers, #defines"),
        ("struct a {\n\n\tfoo_t x;\n};", "line 3: unknown type or attribute foo_t (allowed: __u8"),
        ("struct a { u32 x ____cacheline_aligned; };", "unknown attribute ____cacheline_aligned (allowed: packed"),
        ("struct a { u32 x; } ____cacheline_aligned;", "found '____cacheline_aligned'"),
        ("struct a { u32 x; } __attribute__((ms_struct));", "unknown attribute ms_struct"),
        ("struct a { u32 x; } __randomize_layout;", "found '__randomize_layout'"),
        ("struct a { u8 x __attribute__((aligned(3))); };", "aligned(3) (allowed: powers of two"),
        ("struct a { u8 x __aligned(4) __aligned(8); };", "both aligned(4) and aligned(8)"),
        ("struct a { u8 x : 4 __aligned(4); };", "aligned on a bit-field"),
        ("struct b; struct a { struct b x; };", "struct b is not in the text (allowed: a pointer to it)"),
        ("struct b {u8 y;}; struct a { struct __packed b x; };", "attribute on a mention of struct b"),
        ("struct a { void x; };", "void has no size"),
        ("#pragma scalar_storage_order big-endian\n" + PLAIN, "line 1: #pragma scalar_storage_order may"),
        ("struct a {\n#pragma pack(1)\n\tu32 x; };", "line 2: #pragma pack(1) inside struct a"),
        ("struct a {\n#ifdef X\n\tu32 x;\n#endif\n};", "line 2: #ifdef inside struct a"),
        ("@@ -1 +1 @@\n struct a {\n+\tu8 x;\n@@ -9 +9 @@\n };", "line 4: @@ inside struct a: members may be"),
        ("+struct a {\n+\tu8 x;\n", "line 2: struct a of line 1 is not closed"),
        ("@@ -1 +1 @@ struct a {\n \tu8 x;\n };", "line 2: 'u8' stands outside of a struct"),
        ("#define N 3\n#define N 4\nstruct a { u8 x[N]; };", "line 3: N is not certain: two different #defines"),
        ("#define N 3\n#undef N\nstruct a { u8 x[N]; };", "N is not certain: #undef"),
        ("struct a { u8 x[]; u8 y; };", "x[] must be the last member"),
        ("struct a { u8 x[]; };", "x[] is the only member"),
        ("union a { u8 y; u8 x[]; };", "array without a size in union a"),
        ("struct a { u8 x[2][]; };", "only the first dimension"),
        ("struct a { u8 x[-1]; };", "array of -1 elements"),
        ("struct a { u8 x[1 / 0]; };", "division by zero"),
        ("struct a { u8 x[1 << 64]; };", "shift by 64"),
        ("struct a { u8 x[-1U % 8]; };", "'%' with a negative number depends on its C type"),
        ("struct a { u8 x[99999999999999999999]; };", "does not fit 64 bits"),
        ("struct a { u8 x[08]; };", "08 is not an integer constant"),
        ("struct a { u8 x[2000000]; };", "struct a is too large (allowed: up to 1048576 bytes)"),
        ("struct a { u8 x[sizeof(struct b)]; };", "struct b is not in the text"),
        ("struct a { u8 x[sizeof(b_t)]; };", "unknown type 'b_t' in sizeof"),
        ("struct a { u32 n; u32 call(void); };", "u32 (void) has no size (allowed: a pointer to it)"),
        ("#define T(x) x\nstruct a { T(u8, u16) x; };", "T takes 1 arguments, not 2"),
        ("#define T(x) x\nstruct a { T(u8 x; };", "the arguments of T are not closed"),
        ("struct a { u32 x : 33; };", "bit-field width 33 of u32 x (allowed: up to 32)"),
        ("struct a { long x : 33; };", "bit-field width 33 of long x (allowed: up to 32)"),
        ("typedef bool flag_t; struct a { flag_t x : 2; };", "bit-field width 2 of flag_t x (allowed: up to 1)"),
        ("typedef void *p_t; struct a { p_t x : 2; };", "bit-field that is not an integer"),
        ("struct a { u32 x : 0; };", "bit-field width 0"),
        ("struct a { __be32 x : 3; };", "bit-field of type __be32"),
        ("struct a { u8 x; union { u8 x; u16 y; }; };", "member x stands twice in struct a"),
        ("struct a { u8 x; };\nstruct a { u16 x; };", "line 2: struct a is defined twice, differently"),
        ("struct a { u8 x; }; struct b { union a y; };", "a is a struct, not a union"),
        ("struct { u8 x; };", "this struct needs a name"),
        ("struct a { struct b { u8 x; }; };", "struct b without a member name"),
        ("struct a { u8 x; } y;", "a variable, or an attribute that is not known"),
        ("struct a { u8 x }", "expected ';' after a member of struct a, found '}'"),
        ("struct a { long long long x; };", "'long long long' is not a C type"),
        ("enum e { A = 1 << 40 }; struct a { enum e x; };", "does not fit 32 bits"),
        ("enum e { A } __aligned(8); struct a { enum e x; };", "attribute on an enum"),
        ("typedef u64 __u32; struct a { __u32 x; };", "typedef __u32 differs from what __u32 means"),
        ("typedef u64 __packed x_t; struct a { x_t x; };", "attribute on a typedef"),
        ("struct a { u8 x; /* open", "line 1: comment is not closed"),
        ("struct a { u8 'x'; };", 'character "\'" has no place'),
        ("struct a { u8 x[" + "(" * 999 + "1" + ")" * 999 + "]; };", "nested deeper than 40"),
        ("struct a {" * 999, "nested deeper than 40"),
        ("\n".join(f"#define M{i} M{i + 1}" for i in range(99)) + "\nstruct a { u8 x[M0]; };", "deeper than 40"),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_refused_in_one_line(text, message):
    with pytest.raises(LayoutError, match=re.escape(message)) as refused:
        struct(text)
    assert "\n" not in str(refused.value)


PIECES = [
    "struct", "union", "enum", "typedef", "a", "b", "{", "}", ";", "[", "]", "(", ")", ":", ",", "*", "=", "3", "0",
    "u8", "__u64", "__be16", "unsigned", "long", "char", "void", "bool", "__packed", "__aligned(8)", "__attribute__",
    "\n", "@@ -1 +1 @@\n", "\n+", "\n-", "> ", "/*", "*/", "//", "\n#define ", "\n#if ", "\\\n", "<<", "-", "x[]", "'",
]  # fmt: skip


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join)))
@example("struct a { struct a x; };")
@example("#define a struct a\na { u8 x; };")
@example("struct a { u8 x; } __counted_by(")
def test_any_text_is_laid_out_or_refused(text):
    try:
        found = struct(text)
    except LayoutError as refused:
        assert "\n" not in str(refused)  # noqa: PT017 - either outcome is right, but not a third
    else:
        for abi in Abi:
            assert found.on(abi).size % found.on(abi).align == 0


@given(st.data())
def test_a_text_cut_anywhere_is_never_a_smaller_struct(data):
    """Losing the end of a paste must not silently lose members."""
    cut = data.draw(st.integers(0, len(PLAIN) - 2))
    with pytest.raises(LayoutError):
        struct(PLAIN[:cut])
