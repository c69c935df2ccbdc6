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


def test_a_file_that_is_not_there_is_one_line_and_status_2(capsys):
    assert main(["layout", "/nowhere/abi.h"]) == 2
    assert capsys.readouterr().err == (
        "workbench: C text '/nowhere/abi.h' cannot be read: No such file or directory\n"
    )
