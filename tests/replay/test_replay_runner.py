"""Carrying out operations and comparing: each operation, each expectation, and the lines that say what differs."""


import pytest

from workbench import replay
from workbench.core.outcome import FAULT, HANDLED, UNKNOWN
from workbench.core.replay_target import Engine, MachineSpec
from workbench.engines.simulate.replay_target import SimulatedTarget
from workbench.errors import EngineError, WorkbenchError
from workbench.replay.expectations import fits

RAM = '{"op": "ram", "gpa": 0, "size": "0x4000"}'


def observed(results):
    return [dict(result.observed) for result in results]


def test_each_operation_tells_what_came_back(play):
    results = play(
        RAM,
        '{"op": "store", "gpa": 16, "hex": "01 02"}',
        '{"op": "load", "gpa": 15, "size": 4}',
        '{"op": "load", "gpa": "0x4000", "size": 4}',
        '{"op": "wrmsr", "msr": "0x4b564d05", "value": 0}',
        '{"op": "wrmsr", "msr": "0x4b564d05", "value": 2}',
        '{"op": "wrmsr", "msr": "0x4b564d08", "value": 0}',
        '{"op": "rdmsr", "msr": "0x4b564d05"}',
        '{"op": "rdmsr", "msr": "0x4b564d08"}',
        '{"op": "host_set_msr", "msr": "0x4b564d05", "value": 1}',
        '{"op": "host_get_msr", "msr": "0x4b564d05"}',
        '{"op": "host_get_msr", "msr": "0x4b564d08"}',
        '{"op": "cpuid"}',
        '{"op": "init"}',
        '{"op": "run"}',
        '{"op": "migrate"}',
    )
    assert observed(results) == [
        {},
        {"outcome": HANDLED},
        {"outcome": HANDLED, "hex": "00010200"},
        {"outcome": FAULT},
        {"outcome": HANDLED},
        {"outcome": FAULT},
        {"outcome": UNKNOWN},
        {"outcome": HANDLED, "value": 0},
        {"outcome": UNKNOWN},
        {"accepted": True},
        {"accepted": True, "value": 1},
        {"accepted": False},
        {},
        {},
        {},
        {"machine": "goes_on", "runs_on": "destination"},
    ]


def test_a_file_begins_with_a_machine_of_its_own(play, protocol_of):
    files = [replay.parse(name, f'{RAM}\n{{"op": "wrmsr", "msr": "0x4b564d05", "value": 0}}'.encode()) for name in "ab"]
    files.append(replay.parse("c", b'{"op": "rdmsr", "msr": "0x4b564d05", "expect": {"value": 1}}'))
    results = list(replay.play(files, replay.find_engine("sim"), protocol_of))
    assert replay.totals(results) == (1, 0)


def test_a_new_machine_forgets_everything(play):
    results = play(
        RAM,
        '{"op": "store", "gpa": 0, "hex": "ff"}',
        '{"op": "wrmsr", "msr": "0x4b564d03", "value": "0x1001"}',
        '{"op": "machine"}',
        '{"op": "load", "gpa": 0, "size": 1, "expect": {"outcome": "FAULT"}}',
        '{"op": "rdmsr", "msr": "0x4b564d03", "expect": {"value": 0}}',
        RAM,
        '{"op": "load", "gpa": 0, "size": 1, "expect": {"hex": "00"}}',
    )
    assert replay.totals(results) == (3, 0)


def test_an_access_enters_the_guest_first(play):
    results = play(
        RAM,
        '{"op": "host_set_msr", "msr": "0x4b564d01", "value": "0x1001"}',
        '{"op": "load", "gpa": "0x1000", "size": 4, "expect": {"hex": "00000000"}}',
        '{"op": "rdmsr", "msr": "0x10"}',
        '{"op": "load", "gpa": "0x1000", "size": 4, "expect": {"not_hex": "00000000"}}',
    )
    assert replay.totals(results) == (2, 0)


@pytest.mark.parametrize(
    ("msr", "words", "met"),
    [
        ("0x4b564d08", '"UNKNOWN"', True),
        ("0x4b564d08", '"FAULT"', True),
        ("0x4b564d08", '"HANDLED"', False),
        ("0x4b564d08", '["HANDLED", "fault"]', True),
        ("0x4b564d05", '"FAULT"', True),
        ("0x4b564d05", '"UNKNOWN"', False),
        ("0x4b564d05", '["HANDLED", "UNKNOWN"]', False),
    ],
)
def test_unknown_satisfies_fault_but_not_the_other_way_round(play, msr, words, met):
    (result,) = play(f'{{"op": "wrmsr", "msr": "{msr}", "value": 2, "expect": {{"outcome": {words}}}}}')
    assert result.ok is met


class Blind(SimulatedTarget):
    """An engine that sees #GP only, as a VMM without KVM_CAP_X86_USER_SPACE_MSR does."""

    tells_unknown = False

    def wrmsr(self, cpu, msr, value):
        outcome = super().wrmsr(cpu, msr, value)
        return FAULT if outcome is UNKNOWN else outcome


def test_an_engine_that_cannot_tell_unknown_is_not_blamed(protocol_of):
    line = b'{"op": "wrmsr", "msr": "0x4b564d08", "value": 0, "expect": {"outcome": "UNKNOWN"}}'
    engine = Engine("blind", lambda: None, Blind)
    (result,) = replay.play([replay.parse("f", line)], engine, protocol_of)
    assert result.ok
    assert result.observed == {"outcome": FAULT}


@pytest.mark.parametrize(
    ("digits", "pattern", "fit"),
    [
        ("00ff", "00ff", True),
        ("00ff", "00fe", False),
        ("00ff", "?0?f", True),
        ("00ff", "?1??", False),
        ("00ff", "????", True),
    ],
)
def test_patterns(digits, pattern, fit):
    assert fits(digits, pattern) is fit


def test_lists_allow_any_and_not_hex_forbids_all(play):
    results = play(
        RAM,
        '{"op": "load", "gpa": 0, "size": 1, "expect": {"hex": ["01", "00"]}}',
        '{"op": "load", "gpa": 0, "size": 1, "expect": {"not_hex": ["01", "?0"]}}',
        '{"op": "load", "gpa": 0, "size": 1, "expect": {"hex": "00", "not_hex": "1?", "outcome": "HANDLED"}}',
        '{"op": "rdmsr", "msr": "0x4b564d05", "expect": {"value": [0, 1]}}',
    )
    assert [result.ok for result in results] == [True, True, False, True, True]
    assert replay.totals(results) == (5, 1)


def test_mismatches_are_told_whole(play):
    results = play(
        '{"op": "machine", "vcpus": 2}',
        RAM,
        '{"op": "wrmsr", "cpu": 1, "msr": "0x4b564d03", "value": "0x1003", "expect": {"outcome": "HANDLED"}}',
        '{"op": "rdmsr", "msr": "0x4b564d08", "expect": {"outcome": "HANDLED", "value": 7}}',
        '{"op": "load", "gpa": "0x10", "size": 4, "expect": {"hex": ["0000000?", "ff??????"], "not_hex": "00000000"}}',
        '{"op": "load", "gpa": "0x4000", "size": 1, "expect": {"not_hex": "00"}}',
        '{"op": "store", "gpa": "0x4000", "hex": "0102", "expect": {"outcome": ["HANDLED", "UNKNOWN"]}}',
        '{"op": "host_set_msr", "msr": "0x4b564d05", "value": 2, "expect": {"accepted": true}}',
        '{"op": "host_get_msr", "msr": "0x4b564d08", "expect": {"value": 1, "accepted": false}}',
    )
    assert replay.as_text(results).splitlines() == [
        "f.jsonl:3: wrmsr cpu=1 msr=0x4b564d03 value=0x1003: outcome: expected HANDLED, observed FAULT",
        "f.jsonl:4: rdmsr cpu=0 msr=0x4b564d08: outcome: expected HANDLED, observed UNKNOWN",
        "f.jsonl:4: rdmsr cpu=0 msr=0x4b564d08: value: expected 0x7, observed no value (UNKNOWN)",
        "f.jsonl:5: load gpa=0x10 size=0x4: not_hex: expected not 00000000, observed 00000000",
        "f.jsonl:6: load gpa=0x4000 size=0x1: not_hex: expected not 00, observed no bytes (FAULT)",
        "f.jsonl:7: store gpa=0x4000 hex=0102: outcome: expected HANDLED or UNKNOWN, observed FAULT",
        "f.jsonl:8: host_set_msr cpu=0 msr=0x4b564d05 value=0x2: accepted: expected true, observed false",
        "f.jsonl:9: host_get_msr cpu=0 msr=0x4b564d08: value: expected 0x1, observed no value (not accepted)",
        "2 passed, 8 failed",
    ]


def test_many_bytes_are_cut_in_a_mismatch(play):
    results = play(RAM, f'{{"op": "load", "gpa": 0, "size": 4096, "expect": {{"hex": "{"01" * 4096}"}}}}')
    line, _ = replay.as_text(results).splitlines()
    cut = "... (4096 bytes)"
    assert line == (f"f.jsonl:2: load gpa=0x0 size=0x1000: hex: expected {'01' * 64}{cut}, observed {'00' * 64}{cut}")


def test_json_has_a_record_for_each_operation(play):
    results = play(
        '{"op": "rdmsr", "msr": "0x4b564d05", "expect": {"outcome": "handled", "value": "2"}}', '{"op": "run"}'
    )
    assert replay.records(results) == [
        {
            "file": "f.jsonl",
            "line": 1,
            "op": "rdmsr",
            "expected": {"outcome": "handled", "value": "2"},
            "observed": {"outcome": "HANDLED", "value": "0x1"},
            "ok": False,
        },
        {"file": "f.jsonl", "line": 2, "op": "run", "expected": {}, "observed": {}, "ok": True},
    ]
    assert replay.records([]) == []


def test_another_protocol_for_one_machine(play):
    results = play(
        '{"op": "wrmsr", "msr": "0x4b564d05", "value": 0, "expect": {"outcome": "HANDLED"}}',
        '{"op": "machine", "protocol": "null"}',
        '{"op": "wrmsr", "msr": "0x4b564d05", "value": 0, "expect": {"outcome": "UNKNOWN"}}',
        '{"op": "machine", "protocol": "generic"}',
        RAM,
        '{"op": "store", "gpa": "0x100", "hex": "0010000000000000 10000000 08000000 ff000000"}',
        '{"op": "wrmsr", "msr": "0x4b564d03", "value": "0x100", "expect": {"outcome": "HANDLED"}}',
        '{"op": "load", "gpa": "0x110", "size": 1, "expect": {"hex": "00"}}',
        '{"op": "rdmsr", "msr": "0x4b564d03", "expect": {"outcome": "UNKNOWN"}}',
        '{"op": "host_set_msr", "msr": "0x4b564d03", "value": "0x100", "expect": {"accepted": false}}',
    )
    assert replay.totals(results) == (6, 0)


class Failing(SimulatedTarget):
    """An engine that cannot do what is asked, and tells when it is closed."""

    closed = 0

    def init(self, cpu):
        raise EngineError("no INIT here")

    def close(self):
        Failing.closed += 1


def test_what_an_engine_cannot_do_is_told_with_file_and_line(protocol_of):
    file = replay.parse("f.jsonl", b'{"op": "run"}\n{"op": "machine"}\n{"op": "init"}\n{"op": "run"}')
    done = []
    with pytest.raises(EngineError) as caught:
        done.extend(replay.play([file], Engine("failing", lambda: None, Failing), protocol_of))
    assert str(caught.value) == "f.jsonl:3: init: no INIT here"
    assert Failing.closed == 2


def test_engines_are_found_or_say_why_not():
    assert replay.find_engine("sim").open is SimulatedTarget
    with pytest.raises(WorkbenchError) as caught:
        replay.find_engine("qemu")
    assert str(caught.value) == "unknown engine 'qemu'; known: sim, kvm"


def test_an_engine_that_cannot_run_here_says_why(monkeypatch):
    from workbench.engines.simulate import replay_target

    monkeypatch.setattr(replay_target, "ENGINE", Engine("sim", lambda: "no electricity", SimulatedTarget))
    with pytest.raises(EngineError) as caught:
        replay.find_engine("sim")
    assert str(caught.value) == "engine sim cannot replay here: no electricity"


def test_an_engine_that_is_not_there_says_so(monkeypatch):
    from workbench.replay import engines

    monkeypatch.setitem(engines.ENGINES, "kvm", "workbench.engines.simulate.nothing")
    with pytest.raises(EngineError) as caught:
        replay.find_engine("kvm")
    assert str(caught.value) == (
        "engine kvm cannot replay yet: this version has no workbench.engines.simulate.nothing; use --engine sim"
    )


def test_the_same_file_gives_the_same_records(repo, protocol_of):
    paths = sorted((repo / "tests/replay/library").glob("*.jsonl"))
    engine = replay.find_engine("sim")
    first, second = (
        replay.records(replay.play([replay.read(p) for p in paths], engine, protocol_of)) for _ in range(2)
    )
    assert first == second


# -- operations of the VMM ------------------------------------------------------------------------------------


@pytest.mark.kvm
def test_kvms_own_hypercalls_are_refused_in_one_line_on_a_real_kvm(play):
    try:
        with pytest.raises(EngineError) as caught:
            play('{"op": "hypercall", "number": 12}', engine="kvm")
    except EngineError as error:
        pytest.skip(str(error))
    assert str(caught.value) == (
        "f.jsonl:1: hypercall: hypercall 12 is none of the protocol's, and KVM's own are not tried: "
        "VMCALL at CPL 0 never ends where guest kernel code is emulated (kvm_pvm); use --engine sim"
    )


def test_an_unknown_hypercall_is_answered_as_kvm_does(play):
    (result,) = play('{"op": "hypercall", "number": 77, "args": [1], "expect": {"value": -1000}}')
    assert result.ok
    assert result.observed["values"] == ((1 << 64) - 1000,)


def test_arguments_that_a_handler_cannot_take_are_an_error_of_one_line(play):
    with pytest.raises(WorkbenchError, match=r"f\.jsonl:2: hypercall: hypercall 5461057 does not take 2 arguments"):
        play('{"op": "machine", "protocol": "sbi_sta"}', '{"op": "hypercall", "number": "0x535441", "args": [1, 2]}')


def test_what_was_sent_is_listed_by_address(play):
    results = play(
        RAM,
        '{"op": "copy_round"}',
        '{"op": "store", "gpa": "0x3fff", "hex": "01"}',
        '{"op": "copy_round", "expect": {"sent": ["0x1000", "0x3000"]}}',
        '{"op": "copy_round", "expect": {"not_sent": "0x3000"}}',
    )
    assert observed(results[1::2]) == [{"sent": ((0, 0x4000),)}, {"sent": ((0x3000, 0x4000),)}]
    assert replay.totals(results) == (1, 1)
    assert replay.as_text(results).splitlines()[0] == (
        "f.jsonl:4: copy_round: sent: expected 0x1000 and 0x3000, observed [[0x3000, 0x4000]]"
    )
    assert replay.records(results)[3]["observed"] == {"sent": [["0x3000", "0x4000"]]}


def test_a_write_that_no_log_has_is_lost_with_the_source(protocol_of):
    """The destination has what was sent, not what the source holds."""
    engine = replay.find_engine("sim")
    target = engine.open(MachineSpec(), protocol_of(None))
    target.add_ram(0, 0x2000)
    target.copy_round()
    target.machine.memory.pages.write(0x1000, b"\xff")  # behind every log
    target.store(0, b"\xee")
    target.migrate()
    assert target.load(0, 1) == b"\xee"
    assert target.load(0x1000, 1) == b"\0"


def test_a_machine_that_the_destination_does_not_take_goes_on_as_it_was(play):
    """Its log of written pages included: the wall clock that the destination wrote is not in it."""
    results = play(
        RAM,
        '{"op": "ram", "gpa": "0x100000", "size": "0x1000"}',
        '{"op": "wrmsr", "msr": "0x4b564d04", "value": "0x100001"}',
        '{"op": "wrmsr", "msr": "0x4b564d00", "value": "0x1000"}',
        '{"op": "unplug", "gpa": "0x100000"}',
        '{"op": "store", "gpa": "0x2000", "hex": "01"}',
        '{"op": "migrate", "vmm": "qemu", "source": "resumes", "expect": {"machine": "aborts"}}',
        '{"op": "load", "gpa": "0x1000", "size": 4, "expect": {"hex": "02000000"}}',
        '{"op": "load", "gpa": "0x2000", "size": 1, "expect": {"hex": "01"}}',
        '{"op": "rdmsr", "msr": "0x4b564d04", "expect": {"value": "0x100001"}}',
    )
    assert replay.totals(results) == (4, 0)


def test_a_snapshot_may_be_restored_more_than_once(play):
    results = play(
        RAM,
        '{"op": "store", "gpa": 0, "hex": "11"}',
        '{"op": "snapshot"}',
        *2 * ('{"op": "store", "gpa": 0, "hex": "22"}', '{"op": "reset_in_place"}'),
        '{"op": "load", "gpa": 0, "size": 1, "expect": {"hex": "11"}}',
    )
    assert replay.totals(results) == (1, 0)


def test_the_most_memory_is_reset_and_sent_without_touching_every_page(play):
    results = play(
        '{"op": "ram", "gpa": 0, "size": "0x400000000"}',
        '{"op": "copy_round"}',
        '{"op": "store", "gpa": "0x3ffffffff", "hex": "22"}',
        '{"op": "reset_in_place"}',
        '{"op": "migrate"}',
        '{"op": "load", "gpa": "0x3ffffffff", "size": 1, "expect": {"hex": "00"}}',
    )
    assert replay.totals(results) == (1, 0)
