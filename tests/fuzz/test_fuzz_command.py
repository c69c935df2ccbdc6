"""``workbench fuzz``: the arguments that it refuses, and its error messages."""

import pytest

from tests.hostile.told import told
from workbench.cli import main
from workbench.core.replay_target import Engine
from workbench.engines.kvm import replay_target

YES = "--yes-this-fuzzes-the-kernel"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", f"and panics if panic_on_warn is set; to accept this, pass {YES}"),
        (f"{YES} --seed -1", "argument --seed: -1 is out of range; allowed: 0 or more"),
        (f"{YES} --seconds 0", "argument --seconds: '0' is not allowed; allowed: a number of seconds above 0"),
        (f"{YES} --seconds nan", "argument --seconds: 'nan' is not allowed; allowed: a number of seconds above 0"),
        (f"{YES} --seconds soon", "argument --seconds: 'soon' is not allowed; allowed: a number of seconds above 0"),
        (f"{YES} --ops 0", "argument --ops: 0 is out of range; allowed: 1 or more"),
        (f"{YES} --jobs 0", "argument --jobs: 0 is out of range; allowed: 1 to 256"),
        (f"{YES} --length 5", "argument --length: 5 is out of range; allowed: 20 to 10000"),
        (f"{YES} --protocol nonsense", "unknown protocol 'nonsense'"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(capsys, arguments, said):
    assert main(["fuzz", *arguments.split()]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    first, _ = told(captured.err)
    assert said in first


def test_without_kvm_it_says_why_and_what_to_do(capsys, monkeypatch):
    engine = Engine("kvm", lambda: "/dev/kvm does not exist; load kvm_intel or kvm_amd", replay_target.KvmTarget)
    monkeypatch.setattr(replay_target, "ENGINE", engine)
    assert main(["fuzz", YES]) == 2
    said = "workbench: engine kvm cannot replay here: /dev/kvm does not exist; load kvm_intel or kvm_amd\n"
    assert capsys.readouterr().err == said
