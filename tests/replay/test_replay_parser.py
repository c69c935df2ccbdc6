"""Reading replay files: the lines that are accepted, and the full error message of those that are not."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workbench import replay
from workbench.core.outcome import FAULT, HANDLED, UNKNOWN
from workbench.core.vcpu import KVM_SUPPORTED
from workbench.core.vmm import STOPS_SHORT, VMMS
from workbench.errors import WorkbenchError
from workbench.replay.operations import OPERATIONS


def one(line):
    """Return the operation on a single line."""
    (operation,) = replay.parse("f.jsonl", line.encode()).operations
    return operation


def complaint(content):
    with pytest.raises(WorkbenchError) as caught:
        replay.parse("f.jsonl", content if isinstance(content, bytes) else content.encode())
    return str(caught.value)


def test_defaults_are_filled_in():
    assert one('{"op": "wrmsr", "msr": 18, "value": 1}').arguments == {"cpu": 0, "msr": 18, "value": 1}
    assert one('{"op": "machine"}').arguments == {"vcpus": 1, "irqchip": True, "protocol": None}
    assert one('{"op": "cpuid"}').arguments == {"cpu": 0, "enforce": False, "features": KVM_SUPPORTED}
    assert one('{"op": "migrate"}').arguments == {"registers": None, "vmm": STOPS_SHORT, "source": "gone"}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0", 0),
        ("4660", 0x1234),
        ('"0x1234"', 0x1234),
        ('"0X12aB"', 0x12AB),
        ('"4660"', 0x1234),
        ('"010"', 10),
        ('"0xffffffffffffffff"', 2**64 - 1),
        ("18446744073709551615", 2**64 - 1),
    ],
)
def test_numbers(written, value):
    assert one(f'{{"op": "wrmsr", "msr": 1, "value": {written}}}').arguments["value"] == value


ALLOWED_VALUE = 'allowed: an integer or a string like "0x1f" or "31", from 0 to 0xffffffffffffffff'


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("-1", "-1"),
        ("1.0", "1.0"),
        ("1e3", "1000.0"),
        ("true", "true"),
        ("null", "null"),
        ("[1]", "a list"),
        ("{}", "an object"),
        ('""', '""'),
        ('"0x"', '"0x"'),
        ('"-5"', '"-5"'),
        ('"1_000"', '"1_000"'),
        ('" 1"', '" 1"'),
        ('"\\u0661"', '"\\u0661"'),
        ('"\\ud800"', '"\\ud800"'),
        ("18446744073709551616", "a number of 65 bits"),
        ('"0x10000000000000000"', '"0x10000000000000000"'),
        ('"' + "9" * 60 + '"', '"' + "9" * 39 + "..."),
    ],
)
def test_what_is_no_number_is_refused(written, shown):
    line = f'{{"op": "wrmsr", "msr": 1, "value": {written}}}'
    assert complaint(line) == f"f.jsonl:1: wrmsr: value: {shown} is not allowed; {ALLOWED_VALUE}"


def test_comments_and_blank_lines_count_as_lines():
    content = b'# a comment\r\n\r\n   # another\n\t\n  {"op": "run"}\r\n\n{"op": "migrate"}'
    assert [operation.line for operation in replay.parse("f", content).operations] == [5, 7]


def test_an_empty_file_has_no_operations():
    assert replay.parse("f", b"").operations == []


def test_expectations_are_read_in_every_form():
    line = '{"op": "load", "gpa": 0, "size": 2, "expect": {"outcome": ["handled", "Fault", "UNKNOWN"], "hex": "A?B0"}}'
    assert one(line).expect == {"outcome": (HANDLED, FAULT, UNKNOWN), "hex": ("a?b0",)}
    assert one(line).written["hex"] == "A?B0"
    line = '{"op": "rdmsr", "msr": 1, "expect": {"value": ["0x10", 17]}}'
    assert one(line).expect == {"value": (16, 17)}


OPS = ", ".join(OPERATIONS)
WHO = (
    "hypercall: value, values; store: outcome; load: outcome, hex, not_hex; wrmsr: outcome; rdmsr: outcome, value; "
    "host_set_msr: accepted; host_get_msr: accepted, value; host_set_msrs: processed; "
    "host_get_msrs: processed, values; kvmclock_ctrl: accepted; "
    "get_clock: at_least, at_most, realtime; copy_round: sent, not_sent; migrate: machine, runs_on"
)

#: A line, and the full error message.
MALFORMED = [
    ("{", "not JSON: Expecting property name enclosed in double quotes (column 2); allowed: one object per line"),
    ("{} {}", "not JSON: Extra data (column 4); allowed: one object per line"),
    ("[]", "a list is not an operation; allowed: one object per line"),
    ("3", "3 is not an operation; allowed: one object per line"),
    ("{}", f'the key "op" is missing; operations: {OPS}'),
    ('{"op": "wrmsrs"}', f'unknown operation "wrmsrs"; did you mean wrmsr, rdmsr? operations: {OPS}'),
    ('{"op": ["run"]}', f"unknown operation a list; operations: {OPS}"),
    ('{"op": "run", "op": "run"}', 'the key "op" stands twice in one object'),
    ('{"op": "wrmsr", "msr": 1}', 'wrmsr: the key "value" is missing; needed: msr, value'),
    (
        '{"op": "wrmsr", "msr": 1, "vlaue": 2}',
        'wrmsr: unknown key "vlaue"; did you mean value? keys: op, cpu, msr, value, expect',
    ),
    ('{"op": "run", "vcpu": 1}', 'run: unknown key "vcpu"; did you mean cpu? keys: op, cpu'),
    ('{"op": "migrate", "cpu": 0}', 'migrate: unknown key "cpu"; keys: op, registers, vmm, source, expect'),
    (
        '{"op": "rdmsr", "msr": "0x100000000"}',
        'rdmsr: msr: "0x100000000" is not allowed; '
        'allowed: an integer or a string like "0x1f" or "31", from 0 to 0xffffffff',
    ),
    (
        '{"op": "machine", "vcpus": 0}',
        'machine: vcpus: 0 is not allowed; allowed: an integer or a string like "0x1f" or "31", from 1 to 0x1000',
    ),
    ('{"op": "machine", "irqchip": 1}', "machine: irqchip: 1 is not allowed; allowed: true, false"),
    ('{"op": "machine", "protocol": 1}', "machine: protocol: 1 is not allowed; allowed: a string"),
    (
        '{"op": "load", "gpa": 0, "size": "0x100001"}',
        'load: size: "0x100001" is not allowed; '
        'allowed: an integer or a string like "0x1f" or "31", from 1 to 0x100000',
    ),
    (
        '{"op": "store", "gpa": 0, "hex": "123"}',
        'store: hex: "123" is not allowed; allowed: two hex digits for each of 1 to 1048576 bytes',
    ),
    (
        '{"op": "store", "gpa": 0, "hex": ""}',
        'store: hex: "" is not allowed; allowed: two hex digits for each of 1 to 1048576 bytes',
    ),
    (
        '{"op": "cpuid", "features": [32]}',
        'cpuid: features: 32 is not allowed; allowed: an integer or a string like "0x1f" or "31", from 0 to 0x1f',
    ),
    (
        '{"op": "cpuid", "features": 3}',
        "cpuid: features: 3 is not allowed; allowed: a list of bit numbers from 0 to 31",
    ),
    ('{"op": "run", "expect": {}}', f"run: it returns nothing, so it can expect nothing; expectations: {WHO}"),
    ('{"op": "wrmsr", "msr": 1, "value": 0, "expect": []}', "wrmsr: expect: a list is not allowed; allowed: an object"),
    (
        '{"op": "wrmsr", "msr": 1, "value": 0, "expect": {"value": 1}}',
        'wrmsr: unknown expectation "value"; wrmsr can expect: outcome',
    ),
    (
        '{"op": "rdmsr", "msr": 1, "expect": {"outcome": "OK"}}',
        'rdmsr: expect: outcome: "OK" is not allowed; allowed: HANDLED, FAULT, UNKNOWN',
    ),
    (
        '{"op": "rdmsr", "msr": 1, "expect": {"outcome": []}}',
        "rdmsr: expect: outcome: an empty list is not allowed; allowed: a value, or a list of at least one",
    ),
    (
        '{"op": "load", "gpa": 0, "size": 2, "expect": {"hex": "0g00"}}',
        'load: expect: hex: "0g00" is not allowed; allowed: two hex digits for each byte, ? for any digit',
    ),
    (
        '{"op": "load", "gpa": 0, "size": 2, "expect": {"not_hex": "00"}}',
        "load: expect: not_hex: 1 bytes cannot be compared with a load of 2",
    ),
    (
        '{"op": "host_set_msr", "msr": 1, "value": 0, "expect": {"accepted": "yes"}}',
        'host_set_msr: expect: accepted: "yes" is not allowed; allowed: true, false',
    ),
    (
        '{"op": "host_set_msrs", "entries": [["0x12", 0], ["0x12"]]}',
        "host_set_msrs: entries: a list is not allowed; allowed: an entry [register, value]",
    ),
    (
        '{"op": "host_set_msrs", "entries": {"0x12": 0}}',
        "host_set_msrs: entries: an object is not allowed; allowed: a list of at most 255 entries [register, value]",
    ),
    (
        '{"op": "host_get_msrs", "registers": [' + ", ".join(["18"] * 256) + "]}",
        "host_get_msrs: registers: a list of 256 is not allowed; allowed: a list of at most 255 registers",
    ),
    (
        '{"op": "migrate", "registers": ["0x100000000"]}',
        'migrate: registers: "0x100000000" is not allowed; '
        'allowed: an integer or a string like "0x1f" or "31", from 0 to 0xffffffff',
    ),
    (
        '{"op": "migrate", "vmm": "Qemu"}',
        f'migrate: vmm: "Qemu" is not allowed; did you mean qemu, qemu-9.2? allowed: {", ".join(VMMS)}',
    ),
    ('{"op": "migrate", "vmm": 1}', f"migrate: vmm: 1 is not allowed; allowed: {', '.join(VMMS)}"),
    (
        '{"op": "migrate", "expect": {"machine": "abort"}}',
        'migrate: expect: machine: "abort" is not allowed; did you mean aborts? allowed: goes_on, refused, aborts',
    ),
    (
        '{"op": "msr_filter", "allow": [1], "deny": []}',
        "msr_filter: allow and deny exclude each other; allowed: one of them, or none for no filter",
    ),
    (
        '{"op": "msr_filter", "deny": [' + ", ".join(str(place << 20) for place in range(17)) + "]}",
        "msr_filter: MSRs in 17 places: KVM filters at most 16 ranges",
    ),
    (
        '{"op": "set_clock", "ns": -1}',
        'set_clock: ns: -1 is not allowed; allowed: an integer or a string like "0x1f" or "31", '
        "from 0 to 0xffffffffffffffff",
    ),
    (
        '{"op": "set_clock", "ns": 0, "realtime": "now"}',
        'set_clock: realtime: "now" is not allowed; allowed: an integer or a string like "0x1f" or "31", '
        "from 0 to 0xffffffffffffffff",
    ),
    (
        '{"op": "hypercall", "number": 1, "args": [0, 0, 0, 0, 0, 0, 0, 0]}',
        "hypercall: args: a list of 8 is not allowed; allowed: a list of at most 7 numbers",
    ),
    (
        '{"op": "hypercall", "number": 1, "args": [-9223372036854775809]}',
        "hypercall: args: -9223372036854775809 is not allowed; "
        'allowed: an integer or a string like "0x1f" or "31", from 0 to 0xffffffffffffffff',
    ),
    (
        '{"op": "host_set_msrs", "entries": [], "expect": {"processed": 256}}',
        "host_set_msrs: expect: processed: 256 is not allowed; "
        'allowed: an integer or a string like "0x1f" or "31", from 0 to 0xff',
    ),
    (
        '{"op": "get_clock", "expect": {"realtime": 1}}',
        "get_clock: expect: realtime: 1 is not allowed; allowed: true, false",
    ),
    ('{"op": "ram", "gpa": 0, "size": 4096, "readonly": 1}', "ram: readonly: 1 is not allowed; allowed: true, false"),
    ('{"op": "run", "cpu": NaN}', "NaN is not JSON; allowed: finite numbers"),
    ("[" * 200_000, "not JSON that can be read: nested too deeply; allowed: one object per line"),
    (b'{"op": "run"\xff}', "byte 13 of the line is not UTF-8"),
]

#: The same for operations that no machine can carry out: (lines before, line, message).
IMPOSSIBLE = [
    ("", '{"op": "run", "cpu": 1}', "run: vCPU 1 does not exist; this machine has 0 alone"),
    (
        '{"op": "machine", "vcpus": 4}',
        '{"op": "init", "cpu": 4}',
        "init: vCPU 4 does not exist; this machine has 0 to 3",
    ),
    (
        '{"op": "ram", "gpa": 0, "size": 8192}',
        '{"op": "ram", "gpa": 4096, "size": 4096}',
        "ram: memslot 0x1000..0x2000 overlaps memslot 0x0..0x2000",
    ),
    (
        "",
        '{"op": "ram", "gpa": 1, "size": 4096}',
        "ram: memslot 0x1 with 0x1000 bytes: address and size must be multiples of 0x1000, the size positive, "
        "the end below 2^64",
    ),
    (
        '{"op": "ram", "gpa": 0, "size": 4096}',
        '{"op": "unplug", "gpa": 4096}',
        "unplug: no memslot begins at gpa 0x1000; memslots: 0x0..0x1000",
    ),
    (
        '{"op": "ram", "gpa": 0, "size": 4096}',
        '{"op": "move_ram", "gpa": 4096}',
        "move_ram: no memslot begins at gpa 0x1000; memslots: 0x0..0x1000",
    ),
    ("", '{"op": "protect", "gpa": 0}', "protect: no memslot begins at gpa 0x0; memslots: none"),
    (
        "",
        '{"op": "ram", "gpa": "0xffffffffff000", "size": 8192}',
        "ram: it ends at 0x10000000001000; allowed: RAM below 0x10000000000000",
    ),
    (
        '{"op": "ram", "gpa": 0, "size": "0x400000000"}',
        '{"op": "ram", "gpa": "0x400000000", "size": 4096}',
        "ram: 0x1000 bytes are too many; allowed: 0x400000000 bytes in all memslots",
    ),
]


@pytest.mark.parametrize(("line", "said"), MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_lines_are_told_whole(line, said):
    content = line if isinstance(line, bytes) else line.encode()
    assert complaint(b"# first\n" + content) == f"f.jsonl:2: {said}"


@pytest.mark.parametrize(("before", "line", "said"), IMPOSSIBLE)
def test_impossible_operations_are_told_whole(before, line, said):
    assert complaint(f"{before}\n{line}") == f"f.jsonl:2: {said}"


def test_numbers_of_thousands_of_digits_are_refused():
    line = '{"op": "wrmsr", "msr": 1, "value": ' + "9" * 10_000 + "}"
    assert complaint(line).startswith("f.jsonl:1: a number has 10000 digits; allowed: 400")


def test_one_memslot_too_many():
    lines = [f'{{"op": "ram", "gpa": {8192 * n}, "size": 4096}}' for n in range(257)]
    assert complaint("\n".join(lines)) == "f.jsonl:257: ram: one memslot too many; allowed: 256 at a time"


def test_a_new_machine_has_no_memory_and_its_own_vcpus():
    ram = '{"op": "ram", "gpa": 0, "size": 4096}'
    replay.parse("f", f'{ram}\n{{"op": "machine", "vcpus": 2}}\n{ram}\n{{"op": "run", "cpu": 1}}'.encode())
    content = f'{{"op": "machine", "vcpus": 2}}\n{ram}\n{{"op": "machine"}}\n{{"op": "unplug", "gpa": 0}}'
    assert complaint(content) == "f.jsonl:4: unplug: no memslot begins at gpa 0x0; memslots: none"


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(WorkbenchError) as caught:
        replay.read(tmp_path / "none.jsonl")
    assert str(caught.value) == f"replay file '{tmp_path}/none.jsonl' cannot be read: No such file or directory"
    with pytest.raises(WorkbenchError, match="cannot be read: it is a directory, not a file"):
        replay.read(tmp_path)


# -- laws ----------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = sorted({key for form in OPERATIONS.values() for key in form.fields} | {"op", "expect", "outcome"})
NEARLY = st.fixed_dictionaries(
    {"op": st.sampled_from(sorted(OPERATIONS)) | JSON},
    optional={key: JSON | st.integers(-1, 1 << 65) | st.sampled_from(["0x10", "00ff"]) for key in KEYS if key != "op"},
)


def read_or_refused(content):
    """Return the operations, or None if they are refused in one line of printable text."""
    try:
        return replay.parse("f", content).operations
    except WorkbenchError as error:
        said = str(error)
        assert said.startswith("f:")
        assert "\n" not in said
        assert said.isprintable()
        assert said.isascii()
        assert len(said) < 500
        return None


@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf{}")
@example(b'{"\\ud800": 1}')
def test_arbitrary_bytes_are_read_or_refused(content):
    read_or_refused(content)


@given(st.lists(JSON | NEARLY, max_size=4))
def test_arbitrary_json_is_read_or_refused(values):
    read_or_refused("\n".join(json.dumps(value) for value in values).encode())


@given(NEARLY)
def test_what_is_read_has_every_argument(value):
    for operation in read_or_refused(json.dumps(value).encode()) or ():
        assert set(operation.arguments) == set(OPERATIONS[operation.op].fields)
