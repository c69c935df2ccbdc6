"""Layouts against gcc and the kernel's own sizes; values against the laws of packing."""

import copy
import json
import pickle
import shutil
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.golden.layouts import make
from workbench.clayout.layout import (
    S8,
    S16,
    S32,
    S64,
    U8,
    U16,
    U32,
    U64,
    Abi,
    Hole,
    Layout,
    Value,
    compare_abis,
    struct,
)
from workbench.errors import LayoutError

MEMORY_AREA = struct(
    "struct kvm_memory_area { __u64 base; __u32 size; __u32 type; __u8 result; __u8 pad[3]; };"
)
# arch/x86/include/asm/pvclock-abi.h and arch/x86/include/uapi/asm/kvm_para.h
KERNEL = """
struct pvclock_vcpu_time_info {
	u32   version;
	u32   pad0;
	u64   tsc_timestamp;
	u64   system_time;
	u32   tsc_to_system_mul;
	s8    tsc_shift;
	u8    flags;
	u8    pad[2];
} __attribute__((__packed__)); /* 32 bytes */

struct pvclock_wall_clock {
	u32   version;
	u32   sec;
	u32   nsec;
} __attribute__((__packed__));

struct kvm_steal_time {
	__u64 steal;
	__u32 version;
	__u32 flags;
	__u8  preempted;
	__u8  u8_pad[3];
	__u32 pad[11];
};

struct kvm_vcpu_pv_apf_data {
	__u32 flags;
	__u32 token;
	__u8 pad[56];
};
"""
MIXED = struct("""
struct hdr { u8 kind; __u16 len; };
struct mixed {
	struct hdr header;
	long token;
	union { __u64 gpa; struct { __u32 lo, hi; } half; char name[12]; };
	__u32 ready : 1, mode : 3;
	s32 level : 12;
	struct hdr many[3];
	__be32 addr;
	__s16 grid[2][3];
	__u64 last;
	__u8 tail[];
};""")
GOLDEN = [json.loads(line) for line in make.GOLDEN.read_text().splitlines()]
SCALARS = [U8, U16, U32, U64, S8, S16, S32, S64]


# ---- sizes


@pytest.mark.parametrize(
    ("name", "size", "offsets"),
    [
        ("pvclock_vcpu_time_info", 32, [0, 4, 8, 16, 24, 28, 29, 30]),
        ("pvclock_wall_clock", 12, [0, 4, 8]),
        ("kvm_steal_time", 64, [0, 8, 12, 16, 17, 20]),
        ("kvm_vcpu_pv_apf_data", 64, [0, 4, 8]),
    ],
)
@pytest.mark.parametrize("abi", list(Abi))
def test_kvm_payloads(abi, name, size, offsets):
    layout = struct(KERNEL, name).on(abi)
    assert (layout.size, [f.offset for f in layout.fields], layout.holes) == (size, offsets, ())


def test_the_2011_descriptor_differs_between_abis():
    wide, narrow = MEMORY_AREA.on(Abi.X86_64), MEMORY_AREA.on(Abi.I386)
    assert (wide.size, wide.align, wide.holes) == (24, 8, (Hole(20, 4, "tail"),))
    assert (narrow.size, narrow.align, narrow.holes) == (20, 4, ())
    seven = struct("struct a { __u64 base; __u32 size; __u32 type; __u8 result; __u8 pad[7]; };")
    assert [seven.on(abi).size for abi in Abi] == [24, 24]


@pytest.mark.parametrize("record", GOLDEN, ids=lambda record: record["name"])
def test_layouts_are_those_that_gcc_recorded(record):
    for abi in make.FLAGS:
        assert not make.differences(record["text"], record["name"], abi, record[abi])


def test_the_golden_data_has_what_is_hard():
    text = "".join(record["text"] for record in GOLDEN)
    for hard in (" : 0;", "__packed", "aligned", "union {", "[];", "__aligned_u64", "uint64_t m", "\tstruct {"):
        assert text.count(hard) >= 10, hard
    assert sum(record["x86-64"]["size"] != record["i386"]["size"] for record in GOLDEN) > 50


def _why_no_gcc():
    absent = [tool for tool in ("gcc", "objcopy", "nm") if shutil.which(tool) is None]
    return f"{', '.join(absent)} not installed" if absent else ""


@pytest.mark.skipif(bool(_why_no_gcc()), reason=_why_no_gcc())
@pytest.mark.parametrize("abi", list(make.FLAGS))
def test_layouts_are_those_of_the_gcc_that_is_here(abi):
    cases = make.cases(60, seed=60)
    try:
        answers = make.gcc_answers(cases, abi)
    except subprocess.CalledProcessError:
        pytest.skip(f"gcc cannot compile with {make.FLAGS[abi]}")
    for case, truth in zip(cases, answers, strict=True):
        assert not make.differences(case.text, case.name, abi, truth), case.text


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(bool(_why_no_gcc()), reason=_why_no_gcc())
def test_five_thousand_layouts_are_those_of_gcc(capsys):
    assert make.check(5000, seed=5000) == 0, capsys.readouterr().out


def test_holes_are_only_what_the_compiler_adds():
    layout = struct("struct a { u8 x; u32 y; u8 pad[4]; u16 : 4; u64 z; u8 w; };").on(Abi.X86_64)
    assert layout.holes == (Hole(1, 3, "hole"), Hole(13, 3, "hole"), Hole(25, 7, "tail"))
    assert layout(x=1) == layout.unpack(b"\1" + b"\xff" * 3 + bytes(8) + b"\xff" * 4 + bytes(16))
    nested = struct("struct i { u32 x; u8 y; }; struct a { struct i two[2]; u64 z; };").on(Abi.X86_64)
    assert nested.holes == (Hole(5, 3, "hole"), Hole(13, 3, "hole"))


# ---- values


def test_a_value_has_attributes_bytes_and_a_readable_form():
    area = MEMORY_AREA(base=0x1000, size=64)
    assert (area.base, area.size, area.type, area.pad) == (0x1000, 64, 0, bytes(3))
    assert area.pack() == bytes.fromhex("0010000000000000 40000000 00000000 00 000000 00000000")
    assert repr(area) == "kvm_memory_area(base=0x1000, size=64, type=0, result=0)"
    assert repr(MEMORY_AREA.on(Abi.I386)()) == "kvm_memory_area@i386(base=0, size=0, type=0, result=0)"
    done = area.replace(result=3, pad=b"\1")
    assert (done.result, done.pad, done.base, area.result) == (3, b"\1\0\0", 0x1000, 0)


def test_nested_members_bits_unions_and_byte_order():
    value = MIXED(
        header={"kind": 1, "len": 7}, name=b"abc", mode=6, level=-5, addr=0x01020304,
        many=[{"len": 3}], grid=[[1, -2], [3]],
    )  # fmt: skip
    layout = MIXED.on(Abi.X86_64)
    assert (value["header.len"], value.header.kind, value.gpa, value.half.lo) == (7, 1, 0x636261, 0x636261)
    assert (value.ready, value.mode, value.level) == (0, 6, -5)
    assert value.pack()[layout.offset_of("addr") :][:4] == b"\1\2\3\4"
    assert [part.len for part in value.many] == [3, 0, 0]
    assert value.grid == ((1, -2, 0), (3, 0, 0))
    assert value.tail == b""
    assert value.replace(half={"hi": 1}).gpa == 1 << 32
    assert value.replace(header=value.many[0]).header.len == 3
    assert layout.offset_of("half.hi") == 20
    bits = layout.field("level")
    assert (bits.offset, bits.bit_offset, bits.bit_width) == (32, 4, 12)
    assert bits.ctype == "s32"


@pytest.mark.parametrize(
    ("make_value", "message"),
    [
        (lambda: MEMORY_AREA(bas=1), "has no field bas (fields: base, size, type, result, pad)"),
        (lambda: MEMORY_AREA(size=1 << 32), "kvm_memory_area.size = 0x100000000 does not fit 32 bits (allowed: 0 to"),
        (lambda: MEMORY_AREA(size=-1), "does not fit 32 bits"),
        (lambda: MEMORY_AREA(base="a"), "kvm_memory_area.base takes an integer, not str"),
        (lambda: MEMORY_AREA(base=1.0), "takes an integer, not float"),
        (lambda: MEMORY_AREA(pad=bytes(4)), "kvm_memory_area.pad takes 3 values, not 4"),
        (lambda: MEMORY_AREA(pad=[256]), "kvm_memory_area.pad[0] = 0x100 does not fit 8 bits"),
        (lambda: MEMORY_AREA(pad=1), "kvm_memory_area.pad takes 3 values, not int"),
        (lambda: MEMORY_AREA().replace(result=256), "kvm_memory_area.result = 0x100 does not fit 8 bits"),
        (lambda: MIXED(level=2048), "mixed.level = 0x800 does not fit 12 bits (allowed: -2048 to 2047)"),
        (lambda: MIXED(gpa=1, name=b"x"), "gpa and name share bytes, give one of them"),
        (lambda: MIXED(header=MEMORY_AREA()), "mixed.header takes a struct hdr on x86-64 or a dict"),
        (lambda: MIXED(tail=b"x"), "mixed.tail takes 0 values, not 1"),
        (lambda: MEMORY_AREA.on(Abi.I386).pack(MEMORY_AREA()), "cannot pack"),
        (lambda: MEMORY_AREA.on(Abi.I386).unpack(bytes(24)), "takes 20 bytes on i386, not 24"),
        (lambda: MIXED.on(Abi.I386).field("header.x"), "struct hdr has no field x"),
        (lambda: MIXED.on(Abi.I386).field("addr.x"), "addr is a __be32, it has no field x"),
        (lambda: MEMORY_AREA()["nothing"], "has no field nothing"),
    ],
)
def test_mistakes_are_refused_with_what_is_allowed(make_value, message):
    with pytest.raises(LayoutError) as refused:
        make_value()
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_values_and_layouts_are_immutable():
    value = MEMORY_AREA()
    with pytest.raises(AttributeError, match="immutable"):
        value.base = 1
    with pytest.raises(AttributeError, match="immutable"):
        value.layout.size = 1
    with pytest.raises(AttributeError, match="has no field foo"):
        _ = value.foo
    with pytest.raises(TypeError):
        list(value)


def test_fields_with_names_that_value_uses_are_items_only():
    value = struct("struct a { u32 pack; u32 layout; };")(pack=1, layout=2)
    assert (value["pack"], value["layout"], value.pack()) == (1, 2, b"\1\0\0\0\2\0\0\0")


def test_equality_is_layout_and_content():
    text = "struct kvm_memory_area { __u64 base; __u32 size; __u32 type; /* x */\n__u8 result; __u8 pad[3]; };"
    again = struct(text)
    assert again == MEMORY_AREA
    assert again.on(Abi.X86_64) is MEMORY_AREA.on(Abi.X86_64)
    assert again(base=5) == MEMORY_AREA(base=5)
    assert len({again(base=5), MEMORY_AREA(base=5), MEMORY_AREA(base=6), MEMORY_AREA.on(Abi.I386)(base=5)}) == 3
    twin = struct(text.replace("kvm_memory_area", "twin"))
    assert twin(base=5).pack() == again(base=5).pack()
    assert twin(base=5) != again(base=5)
    assert len({again, MEMORY_AREA, again.on(Abi.I386), MEMORY_AREA.on(Abi.I386)}) == 2


def test_everything_can_be_pickled_and_copied():
    for thing in (MIXED, MIXED.on(Abi.I386), MIXED(level=-3), MIXED.on(Abi.I386)(mode=3), MIXED.on(Abi.X86_64).fields):
        assert pickle.loads(pickle.dumps(thing)) == thing
        assert copy.deepcopy(thing) == thing


def test_hashes_do_not_depend_on_the_run():
    program = (
        "from workbench.clayout.layout import *;"
        "s = struct('struct a { u64 x; u8 y[3]; };');"
        "print(hash(s), hash(s.on(Abi.I386)), hash(s(x=1 << 63, y=b'abc')))"
    )
    outputs = {
        subprocess.check_output([sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, cwd=make.ROOT)
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


# ---- laws


@given(st.sampled_from(SCALARS), st.integers(-(2**70), 2**70))
def test_scalars_pack_what_fits_and_refuse_the_rest(scalar, number):
    try:
        data = scalar.pack(number)
    except LayoutError as refused:
        assert "allowed: " in str(refused)  # noqa: PT017
        low = -(1 << (8 * scalar.size - 1)) if scalar.signed else 0
        assert not low <= number < low + (1 << (8 * scalar.size))
    else:
        assert data == number.to_bytes(scalar.size, "little", signed=scalar.signed)
        assert scalar.unpack(data) == number
        assert pickle.loads(pickle.dumps(scalar)) == scalar


def _layout(record, abi) -> Layout:
    return struct(make.HEADER + record["text"], record["name"]).on(abi)


@given(st.sampled_from(GOLDEN), st.sampled_from(list(Abi)), st.data())
def test_unpacking_and_packing_changes_only_padding(record, abi, data):
    layout = _layout(record, abi)
    raw = data.draw(st.binary(min_size=layout.size, max_size=layout.size))
    value = layout.unpack(raw)
    assert layout.unpack(value.pack()) == value
    assert value.pack() == bytes(a & b for a, b in zip(raw, layout.covered, strict=True))
    for hole in layout.holes:
        assert not any(value.pack()[hole.offset : hole.offset + hole.size])


@given(st.sampled_from(GOLDEN), st.sampled_from(list(Abi)), st.data())
def test_a_value_is_its_fields(record, abi, data):
    """A value that is rebuilt from its fields, one by one, equals the original.

    A union is different: a member that is a struct is written with its padding, where another member may have data.
    There the member written last counts.
    """
    layout = _layout(record, abi)
    value = layout.unpack(data.draw(st.binary(min_size=layout.size, max_size=layout.size)))
    again: Value = layout()
    for field in layout.fields:
        content = value[field.name]
        again = again.replace(**{field.name: content})
        assert again[field.name] == content
        assert getattr(again, field.name) == content
    if "union" in record["text"] and layout.fields:  # also an anonymous one inside; one without members has no bytes
        last = layout.fields[-1].name
        assert again[last] == value[last]
    else:
        assert again == value


def test_a_struct_in_a_union_is_written_with_its_padding():
    """The four bytes after m are padding of the struct, and belong to the array in the union."""
    layout = struct("union u { __u16 words[8]; struct { void *p; __u32 m; } both; };").on(Abi.X86_64)
    value = layout.unpack(bytes(15) + b"\1")
    assert value.words == (0, 0, 0, 0, 0, 0, 0, 256)
    assert not any(value.replace(both=value.both).pack())


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.integers(0, 255), st.binary(max_size=3))
def test_the_fast_and_the_slow_path_agree(base, size, result, pad):
    for abi in Abi:
        layout = MEMORY_AREA.on(abi)
        quick = layout(base=base, size=size, result=result).replace(pad=pad)
        careful = layout(pad=pad, result=result, size=size, base=base)
        assert quick == careful
        assert quick.pack()[:20] == U64.pack(base) + U32.pack(size) + bytes(4) + U8.pack(result) + pad.ljust(3, b"\0")


# ---- texts


def test_tables_show_holes_and_both_totals():
    assert MEMORY_AREA.on(Abi.X86_64).describe() == """\
struct kvm_memory_area on x86-64
offset    size  type     name
     0       8  __u64    base
     8       4  __u32    size
    12       4  __u32    type
    16       1  __u8     result
    17       3  __u8[3]  pad
    20       4  -        (tail padding)
* x86-64: 24 bytes, align 8, 4 of them padding added by the compiler
  i386:   20 bytes, align 4"""


def test_tables_put_holes_between_members_and_members_of_members_below_them():
    found = struct("struct i { u8 k; u16 n; }; struct a { u8 x; struct i in[2]; union { u64 y; u8 z; }; u32 b : 3; };")
    assert found.on(Abi.I386).describe() == """\
struct a on i386
offset    size  type         name
     0       1  u8           x
     1       1  -            (hole)
     2       8  struct i[2]  in (2 bytes of padding)
    10       2  -            (hole)
    12       8  u64          y
    12       1  u8           z (shares bytes)
    20   3 bit  u32          b, from bit 0
    21       3  -            (tail padding)
  x86-64: 32 bytes, align 8, 16 of them padding added by the compiler
* i386:   24 bytes, align 4, 8 of them padding added by the compiler"""


def test_the_comparison_says_what_differs_and_what_would_help():
    text = compare_abis(MEMORY_AREA)
    assert "24 bytes on x86-64, 20 on i386: 4 bytes of tail padding on x86-64 only." in text
    assert "botching-up-ioctls.rst" in text
    assert "4 more bytes of explicit padding at its end make it 24 bytes on both." in text
    moved = compare_abis(struct("struct a { u32 x; u64 y; long z; };"))
    assert "y: offset 8 on x86-64, 4 on i386." in moved
    assert "z: 8 bytes on x86-64, 4 on i386." in moved
    assert "the size of long depends on the ABI" in moved
    kept = compare_abis(struct(KERNEL, "kvm_steal_time"))
    assert "64 bytes on both." in kept
    assert "Kept here." in kept


@pytest.mark.parametrize("record", GOLDEN[:100], ids=lambda record: record["name"])
def test_texts_fit_into_a_mail(record):
    found = struct(make.HEADER + record["text"], record["name"])
    for text in (compare_abis(found), *(found.on(abi).describe() for abi in Abi)):
        assert text.isascii()
        assert all(len(line) <= 72 and line == line.rstrip() for line in text.splitlines())
