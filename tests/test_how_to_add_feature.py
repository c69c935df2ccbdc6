"""A feature is one file: an invented one, with a register that no KVM has, works wherever features are used."""

import json

import pytest

from tests.additions.house import FILES, House
from workbench.features import FEATURES, OTHERS

REGISTER = 0x4B56_4D30
ONLY = ("--features", "pv_sched")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    made = House(tmp_path_factory.mktemp("house"))
    made.add("pv_sched.py", "features")
    return made


def test_it_is_listed_behind_the_others(house):
    assert house.names("feature") == [*FEATURES, "pv_sched", *OTHERS]
    (record,) = [record for record in house.records("list") if record["name"] == "pv_sched"]
    assert (record["bytes"], record["scope"], record["served by"]) == (16, "vcpu", "kernel")


def test_its_layout_is_drawn(house, tmp_path):
    text = (FILES / "pv_sched.py").read_text().split('struct("""')[1].split('"""')[0]
    (tmp_path / "abi.h").write_text(text)
    native, _ = json.loads(house.workbench("layout", str(tmp_path / "abi.h"), "--format", "json"))
    assert (native["struct"], native["size"]) == ("kvm_pv_sched", 16)
    said = house.python(
        "from workbench.clayout.layout import Abi\n"
        "from workbench.features import FEATURES\n"
        "from workbench.present.text.memory import fields\n"
        "from workbench.present.trial import Trial\n"
        "trial = Trial('per_feature')\n"
        "trial.register('pv_sched', 0x1000)\n"
        "trial.enter()\n"
        "payload = FEATURES['pv_sched'].payload\n"
        "print(fields(payload.on(Abi.X86_64), trial.memory.peek(0x1000, 16)))\n"
    )
    version, urgency, slice_ns = said.splitlines()[1:]
    assert "version            2 (even)" in version
    assert "urgency            1" in urgency
    assert "slice_ns" in slice_ns


@pytest.mark.parametrize(
    ("event", "fates"),
    [
        ("boot", {"generic": "registered", "per_feature": "registered"}),
        ("migrate", {"generic": "lost", "per_feature": "registered"}),
        ("init", {"generic": "registered", "per_feature": "registered"}),
        ("cpu-unplug", {"generic": "registered", "per_feature": "registered"}),
    ],
)
def test_compare(house, event, fates):
    arguments = ("--vcpus", "3", *ONLY, "--events", event)
    assert house.values("fate", *arguments) == fates
    if event == "boot":
        assert house.values("exits", *arguments) == {"generic": 3, "per_feature": 3}
        assert house.values("payload_bytes", *arguments) == {"generic": 48, "per_feature": 48}


@pytest.mark.parametrize(("protocol", "verdict"), [("generic", "FAILS"), ("per_feature", "HOLDS")])
def test_explore(house, protocol, verdict):
    found = house.records("explore", protocol, *ONLY, "--vcpus", "1", "--events", "migrate")
    assert found["verdict"] == verdict
    assert {finding["code"] for finding in found["findings"]} == ({"F02"} if verdict == "FAILS" else set())


def test_matrix(house):
    verdicts = house.verdicts(*ONLY, "--vcpus", "1", "--events", "boot,hostile-bad-base")
    assert {protocol for protocol, _ in verdicts} == {"generic", "per_feature"}
    assert verdicts["generic", "F11"] == "NOT EXERCISED"
    assert verdicts["per_feature", "F11"] == "FAILS", "its address is not checked"


@pytest.mark.kvm
def test_on_kvm_the_generic_call_serves_it_and_kvm_itself_has_no_such_register(house):
    lines = house.records("kvm", *ONLY, "--vcpus", "2", "--events", "boot,migrate")
    found = {(line["protocol"], line["event"]): line for line in lines}
    assert {key: (line["simulated"], line["measured"]) for key, line in found.items()} == {
        ("generic", "boot"): ("registered", "registered"),
        ("generic", "migrate"): ("lost", "lost"),
        ("per_feature", "boot"): ("registered", "silent"),
        ("per_feature", "migrate"): ("registered", "silent"),
    }
    known = {line["known"] for (protocol, _), line in found.items() if protocol == "per_feature"}
    assert known == {"KVM has no register PV_SCHED: the guest's write is #GP, and nothing is served"}


@pytest.mark.kvm
def test_fuzzing_a_kvm_without_the_register_finds_both_hosts_saying_so(house):
    said = house.python(
        "from workbench.fuzz.generate import sequence\n"
        "from workbench.fuzz.worker import Task, open_bench\n"
        "with open_bench(Task(1, 120)) as bench:\n"
        "    runs = [sequence(1, number, 120).operations for number in range(12)]\n"
        "    assert any(s.arguments.get('msr') == 0x4B564D30 for run in runs for s in run)\n"
        "    print([bench.judge(run).divergence for run in runs if not any(s.op == 'cpuid' for s in run)])\n"
    )
    assert set(said.strip("[]\n").split(", ")) == {"None"}


def test_the_fuzzer_draws_it_and_its_values(house):
    said = house.python(
        "import json\n"
        "from workbench.fuzz.generate import sequence\n"
        "steps = [s for n in range(60) for s in sequence(1, n, 200).operations]\n"
        f"ours = [s for s in steps if s.arguments.get('msr') == {REGISTER}]\n"
        "print(json.dumps([[s.op, s.arguments.get('value')] for s in ours]))\n"
    )
    drawn = json.loads(said)
    assert {op for op, _ in drawn} == {"wrmsr", "rdmsr", "host_set_msr", "host_get_msr"}
    values = [value for _, value in drawn if value is not None]
    good = {value for value in values if value & 0x3F == 1 and value < 0x18000}
    assert len(good) > 20
    assert any(value & 0x3E for value in values), "reserved bits, too"


COMPARE = """
from workbench.core.steps import Store
from workbench.features import choose
from workbench.features.pv_sched import PvSched
from dataclasses import replace
from workbench.fuzz.generate import sequence
from workbench.protocols.per_feature import PerFeature
from tests.fuzz.pretended import bench

class Other(PvSched):
    def update(self, cpu, gpa, now):
        yield from super().update(cpu, gpa, now)
        yield Store(gpa + {offset}, b"{byte}")

others = [Other() if one.name == "pv_sched" else one for one in choose()]
with bench(real=lambda: PerFeature(others)) as both:
    both.known = replace(both.known, left_out=None)  # its clocks are others too: a store takes time
    found = [both.judge(sequence(1, n, 200).operations).divergence for n in range(40)]
    found = next((one for one in found if one and one.key != "ns"), None)  # a real host does not live in 2011
print(None if found is None else found.why)
"""


@pytest.mark.parametrize(
    ("offset", "byte", "why"),
    [
        (8, "\\x77", "None"),  # slice_ns: a counter
        (4, "\\x02", "a byte that no host may change, or both alike"),  # urgency
        (0, "\\x04\\x01", "pv_sched: "),  # version
        (16, "\\x77", "a byte that no host may change, or both alike"),  # behind the payload
    ],
)
def test_the_fuzzer_compares_its_payload_by_what_it_says_of_itself(house, offset, byte, why):
    assert house.python(COMPARE.format(offset=offset, byte=byte)).startswith(why)


def test_a_feature_without_a_register_of_its_own_works_too(tmp_path):
    house = House(tmp_path)
    text = (FILES / "pv_sched.py").read_text()
    plain = text.replace("    registers = (\n", "    unused = (\n").replace("    compared = ", "    other = ")
    (tmp_path / "workbench/features/pv_sched.py").write_text(plain)
    assert house.values("fate", "--vcpus", "2", *ONLY, "--events", "boot") == {
        "generic": "registered", "per_feature": "unsupported",
    }  # fmt: skip
    assert house.python("from workbench.fuzz import palette; print(palette.BROUGHT)") == "()\n"
