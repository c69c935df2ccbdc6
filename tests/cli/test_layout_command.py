"""``workbench layout``: the 2011 descriptor on both ABIs, and one line for text that cannot be laid out."""

import io
import json

import pytest

from workbench.cli import main

DESCRIPTOR = "struct kvm_memory_area { __u64 base; __u32 size; __u32 type; __u8 result; __u8 pad[3]; };\n"


def test_text_shows_that_the_descriptor_has_two_sizes(tmp_path, capsys):
    (tmp_path / "abi.h").write_text(DESCRIPTOR)
    assert main(["layout", str(tmp_path / "abi.h")]) == 0
    assert "24 bytes on x86-64, 20 on i386: 4 bytes of tail padding on x86-64 only." in capsys.readouterr().out


def test_json_is_one_record_for_each_abi(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO(DESCRIPTOR))
    assert main(["layout", "-", "--format", "json"]) == 0
    x86, i386 = json.loads(capsys.readouterr().out)
    assert (x86["abi"], x86["size"], x86["holes"]) == ("x86-64", 24, [{"offset": 20, "size": 4, "kind": "tail"}])
    assert (i386["abi"], i386["size"], i386["holes"]) == ("i386", 20, [])
    assert [field["offset"] for field in x86["fields"]] == [0, 8, 12, 16, 17]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("struct broken { __u64 base; __u32", "workbench: "),
        ("struct odd { __u64 base __attribute__((weak)); };", "weak"),
        ("", "workbench: "),
    ],
)
def test_text_that_cannot_be_laid_out_is_one_line_and_status_2(tmp_path, capsys, text, says):
    (tmp_path / "abi.h").write_text(text)
    assert main(["layout", str(tmp_path / "abi.h")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert says in said.err


NESTED = """\
struct nested_control {
	struct { __u32 directhypercall : 1; __u32 reserved : 31; } __attribute__((packed)) features;
	struct { __u8 k; __u64 v; } pairs[2][3];
};
"""


def test_json_has_bits_nesting_and_arrays(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO(NESTED))
    assert main(["layout", "-", "--format", "json"]) == 0
    features, pairs = json.loads(capsys.readouterr().out)[0]["fields"]
    assert [(f["name"], f["offset"], f["bit_offset"], f["bit_width"]) for f in features["fields"]] == [
        ("directhypercall", 0, 0, 1), ("reserved", 0, 1, 31),
    ]  # fmt: skip
    assert (pairs["array"], pairs["size"], pairs["bit_width"]) == ([2, 3], 96, None)
    assert [(f["name"], f["offset"]) for f in pairs["fields"]] == [("k", 8), ("v", 16)]


PARTLY = "struct bad {\n\tfoo_t x;\n};\nstruct good {\n\t__u64 clock;\n};\n"


def test_a_file_that_can_be_read_in_part_says_what_is_left_out(tmp_path, capsys):
    (tmp_path / "abi.h").write_text(PARTLY)
    assert main(["layout", str(tmp_path / "abi.h")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("struct good\n")
    assert "\nLeft out of this text, because it is not certain (1):\n  bad: line 2: unknown type" in out
    assert main(["layout", str(tmp_path / "abi.h"), "--struct", "good"]) == 0
    assert "Left out" not in capsys.readouterr().out
    assert main(["layout", str(tmp_path / "abi.h"), "--struct", "bad"]) == 2
    assert capsys.readouterr().err.startswith("workbench: line 2: unknown type or attribute foo_t")
    assert main(["layout", str(tmp_path / "abi.h"), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["left_out"][0].startswith("bad: line 2: unknown type")


@pytest.mark.parametrize("columns", [60, 72, 80, 200])
def test_text_is_as_wide_as_the_terminal_and_loses_nothing(monkeypatch, capsys, columns):
    name, kind = "a_name_that_is_longer_than_any_column", "struct a_type_that_is_longer_than_any_column"
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{kind} {{ __u8 x; }};\nstruct last {{ {kind} {name}; }};\n"))
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["layout", "-"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert all(len(line) <= columns for line in lines)
    first, second = lines[1].index("type"), lines[1].index("name")
    types, names = ("".join(line[a:b].strip() for line in lines[3:]) for a, b in ((first, second), (second, None)))
    assert kind.replace(" ", "") in types.replace(" ", "")
    assert name in names
    if columns == 200:
        assert f"{kind}  {name}\n" in out


OLD, NEW = "struct a { __u64 x; __u32 pad[2]; };", "struct a { __u64 x; __u32 flags; __u32 pad; __u64 y; };"


def test_two_versions_say_what_each_reader_sees(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "72")
    for name, text in (("old.h", OLD), ("new.h", NEW)):
        (tmp_path / name).write_text(text)
    assert main(["layout", "--diff", str(tmp_path / "old.h"), str(tmp_path / "new.h")]) == 0
    assert capsys.readouterr().out == """\
struct a, old and new, on x86-64 and i386
old             new             type   name
offset    size  offset    size
     0       8       0       8  __u64  x
                     8       4  __u32  flags (new)
     8       8      12       4  __u32  pad (moved)
                    16       8  __u64  y (new)
16 bytes in the old one, 24 in the new one.
An old reader of a new struct takes for pad (offset 8): flags, pad.
An old reader of a new struct does not see its last 8 bytes.
A new reader of an old struct takes for flags (offset 8): pad.
A new reader of an old struct takes for pad (offset 12): pad+4.
A new reader of an old struct takes for y (offset 16): what lies beyond
  its end.
A new reader of an old struct reads 8 bytes beyond its end, unless it is
  told the size.
"""
    assert main(["layout", "--diff", str(tmp_path / "old.h"), str(tmp_path / "new.h"), "--format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)[0]
    assert [(one["name"], one["change"]) for one in record["members"]] == [
        ("x", "same"), ("flags", "new"), ("pad", "moved"), ("y", "new"),
    ]  # fmt: skip
    assert record["old_reader"] == [{"name": "pad", "finds": ["flags", "pad"]}]


def test_a_patch_has_two_sides(tmp_path, capsys):
    (tmp_path / "a.patch").write_text("@@ -1,3 +1,3 @@\n struct a {\n-\tu8 x;\n+\tu16 x;\n };\n")
    path = str(tmp_path / "a.patch")
    assert main(["layout", "--diff", path, path]) == 0
    out = capsys.readouterr().out
    assert "x (resized)" in out
    assert "1 bytes in the old one, 2 in the new one." in out


def test_an_array_on_cache_lines(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO(DESCRIPTOR))
    monkeypatch.setenv("COLUMNS", "72")
    assert main(["layout", "-", "--array", "3"]) == 0
    out = capsys.readouterr().out
    assert f"     0  {'0' * 20}....{'1' * 20}....{'2' * 16}\n    64  2222....\n" in out
    assert "3 x 24 = 72 bytes on 2 lines." in out
    assert "1 of 3 elements lie on one line more than they need." in out


def test_an_array_as_data(tmp_path, capsys):
    """Three elements of 24 bytes: the third crosses from the first line into the second (x86-64)."""
    (tmp_path / "a.h").write_text(DESCRIPTOR)
    assert main(["layout", str(tmp_path / "a.h"), "--array", "3", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["abi"], one["size"], one["lines"]) for one in found] == [("x86-64", 72, 2), ("i386", 60, 1)]
    first = found[0]
    assert (first["shared_lines"], first["most_elements_on_a_line"], first["crossing_elements"]) == (1, 3, 1)
    assert first["elements"] == [
        {"offset": 0, "first_line": 0, "last_line": 0}, {"offset": 24, "first_line": 0, "last_line": 0},
        {"offset": 48, "first_line": 0, "last_line": 1},
    ]  # fmt: skip


def diff_of(tmp_path, capsys, old, new, *more):
    for name, text in (("old.h", old), ("new.h", new)):
        (tmp_path / name).write_text(text)
    status = main(["layout", "--diff", str(tmp_path / "old.h"), str(tmp_path / "new.h"), *more])
    told = capsys.readouterr()
    return status, told.out, told.err


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("u32 x; u32 y;", "u32 x; u32 z;", {"x": "same", "z": "renamed? y"}),
        ("u32 x; u32 y;", "u32 x; s32 z;", {"x": "same", "y": "gone", "z": "new"}),  # another type
        ("u32 x; u32 y;", "u32 z; u32 w;", {"z": "renamed? x", "w": "renamed? y"}),
        ("u32 x; u32 y;", "u32 y; u32 x;", {"y": "moved", "x": "moved"}),
        ("union { u32 x; u32 y; };", "union { u32 z; u32 y; };", {"z": "renamed? x", "y": "same"}),
        ("union { u32 x; u32 y; };", "union { u32 z; u32 w; };",  # which is which cannot be told
         {"x": "gone", "y": "gone", "z": "new", "w": "new"}),
        ("u32 x:3, y:5;", "u32 x:3, z:5;", {"x": "same", "z": "renamed? y"}),
        ("struct { u8 x; } p;", "struct { u8 x; } q;", {"q.x": "renamed? p.x"}),
    ],
)  # fmt: skip
def test_a_member_may_have_been_renamed(tmp_path, capsys, old, new, changes):
    texts = [f"struct a {{ {one} }};" for one in (old, new)]
    status, out, _ = diff_of(tmp_path, capsys, *texts, "--format", "json")
    members = json.loads(out)[0]["members"]
    assert status == 0
    assert {one["name"]: " ".join(filter(None, (one["change"], one["was"]))) for one in members} == changes
    for name, change in changes.items():
        if change.startswith("renamed?"):
            assert f"{name} (renamed? from {change.split()[1]})" in diff_of(tmp_path, capsys, *texts)[1]


def test_a_struct_may_have_been_renamed(tmp_path, capsys):
    """It is found by the places of its members, if one alone has them; or it is named."""
    old, other = "struct a { u64 x; u32 y; };\n", "struct c { u32 x; };\n"
    status, out, _ = diff_of(tmp_path, capsys, other + old, other + "struct b { u64 x; u32 y; };")
    assert (status, out.partition(",")[0]) == (0, "struct b (renamed? from struct a)")
    status, out, err = diff_of(tmp_path, capsys, old, "struct b { u64 x; u32 y; u32 z; };")
    assert (status, out, "no struct b in the text; it defines: a" in err) == (2, "", True)
    status, out, _ = diff_of(tmp_path, capsys, old, "struct b { u64 x; u32 y; u32 z; };", "--struct", "a:b")
    assert (status, "z (new)" in out) == (0, True)
    twins = old + old.replace("struct a", "struct d")
    assert diff_of(tmp_path, capsys, twins, "struct b { u64 x; u32 y; };")[0] == 2


def test_an_array_of_whole_lines_shares_none(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("struct a { __u8 x[64]; };"))
    assert main(["layout", "-", "--array", "2"]) == 0
    assert "No two elements share a line." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "layout takes either FILE, also with --array N, or --diff OLD NEW"),
        (["abi.h", "--diff", "abi.h", "abi.h"], "layout takes either FILE"),
        (["--diff", "abi.h", "abi.h"], "'abi.h' is no patch with two sides (allowed: two files, or a patch twice)"),
        (["--diff", "abi.h", "none.h"], "C text 'none.h' cannot be read"),
        (["--diff", "abi.h", "other.h"], "no struct other in the text"),
        (["abi.h", "--array", "0"], "an array of 0 elements of 24 bytes (allowed: 1 to 65536 bytes in all, so 2730"),
        (["abi.h", "--array", "-3"], "an array of -3 elements"),
        (["empty.h", "--array", "1"], "an array of 1 elements of 0 bytes"),
        (["abi.h", "--array", "0", "--format", "json"], "an array of 0 elements of 24 bytes"),
        (["abi.h", "--define", "2=3"], "--define '2=3' is no macro (allowed: NAME or NAME=VALUE)"),
        (["abi.h", "--include", "nowhere"], "folder of headers 'nowhere' is not there"),
        (["abi.h", "--struct", "kvm_memory_are"], "did you mean kvm_memory_area?"),
    ],
)
def test_mistakes_are_one_line_and_status_2(tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "abi.h").write_text(DESCRIPTOR)
    (tmp_path / "other.h").write_text("struct other { __u8 x; };")
    (tmp_path / "empty.h").write_text("struct empty { };")
    assert main(["layout", *arguments]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert says in said.err


def test_a_file_that_is_not_there_is_one_line_and_status_2(capsys):
    assert main(["layout", "/nowhere/abi.h"]) == 2
    assert capsys.readouterr().err == (
        "workbench: C text '/nowhere/abi.h' cannot be read: No such file or directory\n"
    )
