"""A migration that its destination's VMM gives up: what of the machine goes on, and that nothing else does."""

import pytest

from workbench import replay
from workbench.cli import main
from workbench.errors import WorkbenchError

#: A machine with an area of PV EOI in memory that a destination does not have: it refuses the register.
REFUSED = """
{"op": "ram", "gpa": 0, "size": "0x1000"}
{"op": "ram", "gpa": "0x10000", "size": "0x1000"}
{"op": "wrmsr", "msr": "0x4b564d04", "value": "0x10001", "expect": {"outcome": "HANDLED"}}
{"op": "store", "gpa": 0, "hex": "2a"}
{"op": "unplug", "gpa": "0x10000"}
"""
MOVES = '{{"op": "migrate", "vmm": "{}"{}, "expect": {{"machine": "{}", "runs_on": "{}"}}}}\n'
LOOKS = '{"op": "load", "gpa": 0, "size": 1, "expect": {"hex": "2a"}}\n'
ENDS = [("qemu", "aborts"), ("qemu-9.2", "aborts"), ("firecracker", "refused")]


def played(text, engine, protocol_of):
    return list(replay.play([replay.parse("f.jsonl", text.encode())], engine, protocol_of))


@pytest.mark.parametrize(("vmm", "end"), ENDS)
@pytest.mark.parametrize(
    "further", [LOOKS, '{"op": "run"}\n', '{"op": "migrate"}\n', '{"op": "ram", "gpa": 4096, "size": 4096}\n']
)
def test_nothing_follows_the_end_of_a_machine(vmm, end, further, engine, protocol_of):
    ended = REFUSED + MOVES.format(vmm, "", end, "nowhere")
    assert all(result.ok for result in played(ended, engine, protocol_of))
    with pytest.raises(
        WorkbenchError, match=r"f.jsonl:8: \w+: the machine does not run any more: .* migrate of line 7;"
    ):
        played(ended + further, engine, protocol_of)


@pytest.mark.parametrize(("vmm", "end"), ENDS)
def test_a_source_goes_on_with_memory_and_registers(vmm, end, engine, protocol_of):
    text = REFUSED + MOVES.format(vmm, ', "source": "resumes"', end, "source") + LOOKS + (
        '{"op": "host_get_msr", "msr": "0x4b564d04", "expect": {"value": "0x10001"}}\n'
        '{"op": "migrate", "vmm": "cloud-hypervisor", "expect": {"machine": "goes_on", "runs_on": "destination"}}\n'
        '{"op": "host_get_msr", "msr": "0x4b564d04", "expect": {"value": 0}}\n'
    )  # fmt: skip
    results = played(text, engine, protocol_of)
    assert all(result.ok for result in results), replay.as_text(results)


def test_a_machine_that_arrives_says_nothing_of_its_source(engine, protocol_of):
    text = REFUSED + MOVES.format("cloud-hypervisor", ', "source": "gone"', "goes_on", "destination") + LOOKS
    assert all(result.ok for result in played(text, engine, protocol_of))


def test_another_machine_begins(engine, protocol_of):
    text = REFUSED + MOVES.format("qemu", "", "aborts", "nowhere") + '{"op": "machine"}\n{"op": "run"}\n'
    assert all(result.ok for result in played(text, engine, protocol_of))


def test_each_file_has_a_machine_of_its_own(engine, protocol_of):
    ended = REFUSED + MOVES.format("qemu", "", "aborts", "nowhere")
    files = [replay.parse(name, text.encode()) for name, text in (("one", ended), ("two", '{"op": "run"}\n'))]
    assert all(result.ok for result in replay.play(files, engine, protocol_of))


def test_the_command_says_it_in_one_line(tmp_path, capsys):
    file = tmp_path / "ended.jsonl"
    file.write_text(REFUSED.lstrip() + MOVES.format("qemu", "", "aborts", "nowhere") + LOOKS)
    assert main(["replay", str(file)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{file}:7: load: the machine does not run any more: its VMM gave it up in the migrate of line 6;" in said


@pytest.mark.parametrize(("value", "said"), [('"stays"', "allowed: resumes, gone"), ("true", "true is not allowed")])
def test_what_a_source_can_do_is_said(value, said):
    with pytest.raises(WorkbenchError, match=said):
        replay.parse("f.jsonl", f'{{"op": "migrate", "source": {value}}}'.encode())
