"""A trial by hand gives the same steps, bytes and exits as a complete run."""

import pytest

from tests.protocols.data.third import RegisterArray
from workbench.clayout.layout import Abi
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED
from workbench.core.steps import GUEST, KERNEL, USER
from workbench.core.vcpu import Host
from workbench.engines.simulate.by_hand import RAM_END, SCRATCH
from workbench.errors import WorkbenchError
from workbench.measure import Variant
from workbench.present.text.register_writes import REGISTERS, writes
from workbench.present.text.table import as_text
from workbench.present.trial import Trial


def test_an_account_names_who_did_what():
    account = Trial("generic").register("watchdog", 0x2000)
    sides = [taken.side for taken in account.steps]
    assert sides == [*sorted(sides[:-1]), GUEST]
    assert {GUEST, KERNEL, USER} == set(sides)
    assert account.result is ACCEPTED
    assert account.exits_text == "1 exit (user)"
    text = repr(account).splitlines()
    assert text[0] == "register watchdog at 0x2000, vCPU 0"
    assert text[1].startswith("  1  guest   store ")
    assert "base=0x2000, size=16, type=8" in text[1]
    assert text[1].endswith(f" at {SCRATCH:#x}")
    assert text[-1] == "result: accepted; 1 exit (user)"
    assert max(map(len, text)) <= 72


@pytest.mark.parametrize("protocol", ["generic", "per_feature", RegisterArray, Variant("mine", RegisterArray)])
def test_a_registered_clock_is_served_updated_and_read(protocol):
    trial = Trial(protocol, watch=(0x1000, 32))
    trial.prepare("kvmclock", 0x1000)
    assert trial.register("kvmclock", 0x1000).result is ACCEPTED
    assert trial.serves("kvmclock") == 0x1000
    before = trial.read("kvmclock", 0x1000).result
    update = trial.update("kvmclock", 0x1000)
    after = trial.read("kvmclock", 0x1000).result
    assert after.version == before.version + 2
    assert after.system_time > before.system_time
    assert update.before == before.pack()
    assert update.steps[-1].watched == after.pack()
    assert update.exits["exits"] == 0


def test_registers_are_written_and_read_as_by_a_guest():
    trial = Trial("per_feature")
    assert trial.wrmsr(0x4B564D03, 0x1001).result is HANDLED
    assert trial.rdmsr(0x4B564D03).result == 0x1001
    assert trial.wrmsr(0x4B564D03, 0x1003).result is FAULT
    assert trial.wrmsr(0x4B564D03, 0x2001, cpl=3).result is FAULT
    trial.init()
    assert trial.serves("steal_time") is None


def test_what_a_migration_carries_is_carried():
    for protocol, served in (("generic", None), ("generic+carry-registry", 0x1000), ("per_feature", 0x1000)):
        trial = Trial(protocol)
        trial.register("kvmclock", 0x1000)
        assert bool(trial.state())
        trial.migrate()
        assert trial.serves("kvmclock") == served, protocol


def test_the_vcpus_are_told_apart():
    trial = Trial("generic", vcpus=2, abi=Abi.I386)
    trial.register("kvmclock", 0x3000, cpu=1)
    assert (trial.serves("kvmclock", 0), trial.serves("kvmclock", 1)) == (None, 0x3000)
    trial.unregister("kvmclock", 0x3000, cpu=1)
    assert trial.serves("kvmclock", 1) is None


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: Trial("nobody"), r"^unknown protocol 'nobody'; known: "),
        (lambda: Trial("generic").register("sundial", 0), r"^unknown feature 'sundial'; known: kvmclock"),
        (lambda: Trial("generic").register("kvmclock", 0, cpu=3), r"^vCPU 3: this machine has vCPUs 0 to 0$"),
        (lambda: Trial("per_feature").register("watchdog", 0), r"has no way to name the feature 'watchdog'$"),
    ],
)
def test_mistakes_are_one_line(act, message):
    with pytest.raises(WorkbenchError, match=message):
        act()


def rows(done, **circumstances):
    return {(row[0], row[1]): row[2:] for row in writes(done, **circumstances).rows}


def test_outcome_register_and_arrival_are_three_things():
    found = rows([("SYSTEM_TIME_NEW", 0x1001), ("SYSTEM_TIME_NEW", 0x2FF1)])
    assert found["SYSTEM_TIME_NEW", "0x2ff1"] == ["handled", "0x2ff1", "0x1000", "yes"]
    found = rows([("ASYNC_PF_EN", 0x3009), ("ASYNC_PF_EN", RAM_END | 9)])
    assert found["ASYNC_PF_EN", "0x3009"] == ["handled", "0x3009", "0x3000", "yes"]
    assert found["ASYNC_PF_EN", hex(RAM_END | 9)] == ["fault", hex(RAM_END | 9), "nothing", "no"]
    assert rows([("ASYNC_PF_EN", 0x3001)])["ASYNC_PF_EN", "0x3001"] == ["handled", "0x3001", "nothing", "no"]
    assert rows([("STEAL_TIME", RAM_END | 1)])["STEAL_TIME", hex(RAM_END | 1)][3] == "no"


def test_every_register_can_be_written_and_the_table_fits_a_mail():
    table = writes([(name, 1) for name in REGISTERS], host=Host(irqchip=False))
    assert [row[0] for row in table.rows] == list(REGISTERS)
    assert max(map(len, as_text(table).splitlines())) <= 72
