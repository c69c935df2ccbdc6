"""``workbench kvm`` and ``workbench calibrate``: what they write, and one line where there is no KVM."""

import json

import pytest

from workbench.cli import main
from workbench.engines.kvm.api import ioctl
from workbench.engines.kvm.engine import this_host
from workbench.measure.on_kvm import measured_file


@pytest.fixture
def no_kvm(monkeypatch, tmp_path):
    """A host without /dev/kvm."""
    monkeypatch.setattr(ioctl, "DEVICE", str(tmp_path / "kvm"))
    this_host.cache_clear()
    yield
    this_host.cache_clear()


@pytest.mark.usefixtures("no_kvm")
@pytest.mark.parametrize("command", [["kvm"], ["kvm", "--probe"], ["kvm", "--events", "boot"], ["calibrate"]])
def test_without_kvm_one_line_says_why_and_what_to_do(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("workbench: kvm: not available: ")
    assert "; " in captured.err, "what to do follows the reason"
    assert not list(tmp_path.iterdir())


@pytest.mark.kvm
def test_probe(capsys):
    assert main(["kvm", "--probe"]) == 0
    assert capsys.readouterr().out.startswith(this_host().line)


@pytest.mark.kvm
def test_words_stand_side_by_side_under_their_own_names(capsys):
    assert main("kvm --protocols generic,per_feature --events boot,migrate,encrypted".split()) == 0
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines()]
    assert " ".join(out.split()).startswith(this_host().line)
    assert ["event", "simulated", "measured", "user", "exits"] in lines
    assert ["boot", "registered", "registered", "18"] in lines  # generic
    assert ["boot", "registered", "registered", "0"] in lines  # per_feature
    assert ["migrate", "lost", "lost", "0"] in lines
    assert ["encrypted", "registered", "not", "run", "-"] in lines
    assert "Not run: encrypted: the guest is encrypted" in " ".join(out.split())
    assert "The words of every area are the same in 4 of 4 runs." in " ".join(out.split())


@pytest.mark.kvm
@pytest.mark.parametrize("form", ["json", "csv", "markdown"])
def test_formats(form, capsys, tmp_path):
    target = tmp_path / "out"
    assert main(["kvm", "--events", "boot", "--format", form, "--output", str(target)]) == 0
    assert capsys.readouterr().out == ""
    text = target.read_text()
    assert this_host().module in text
    if form == "json":
        (generic, per_feature) = json.loads(text)
        assert generic["measured_user_exits"] == 18
        assert per_feature["measured_user_exits"] == 0


@pytest.mark.kvm
def test_a_difference_is_status_1(capsys, tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        '"""R1 a model of KVM in which INIT forgets nothing."""\n'
        "from workbench.protocols.per_feature import PerFeature\n\n\n"
        "class Wrong(PerFeature):\n"
        '    name = "wrong"\n'
        "    native = PerFeature.native\n\n"
        "    def on_init(self, cpu):\n"
        "        return\n"
        "        yield\n"
    )
    assert main(["kvm", "--protocols", str(wrong), "--events", "init-no-reregister"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "kvmclock: 3 registered 1 released, not 3 registered 1 stale;" in out
    assert "NOT KNOWN." in out


@pytest.mark.kvm
def test_a_protocol_that_breaks_off_is_one_line(capsys, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text(
        '"""R1 it does not work."""\nfrom workbench.core.contracts import Protocol\n\n\n'
        'class Broken(Protocol):\n    name = title = "broken"\n\n'
        "    def register(self, cpu, feature, gpa):\n        return (yield gpa.nothing)\n"
    )
    assert main(["kvm", "--protocols", str(broken), "--events", "boot"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "protocol broken raised an exception under event boot: AttributeError" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("kvm --vcpus 241", "argument --vcpus: 241 is out of range; allowed: 1 to 240"),
        ("kvm --events nothing", "unknown event 'nothing'"),
        ("kvm --vcpus 1 --events cpu-hotplug", "event 'cpu-hotplug' needs at least 2 vCPUs; here are 1"),
        ("kvm --protocols nothing", "unknown protocol 'nothing'"),
    ],
)
@pytest.mark.kvm
def test_mistakes_are_one_line(arguments, message, capsys):
    assert main(arguments.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"workbench: {message}")


@pytest.mark.slow
@pytest.mark.kvm
def test_calibrate_writes_a_file_that_reads_back(capsys, tmp_path):
    target = tmp_path / "here.json"
    assert main(["calibrate", "-o", str(target), "--release", "6.99"]) == 0
    found = measured_file.load(target)
    out = capsys.readouterr().out
    assert found.host["kernel"] == "6.99"
    assert found.made["command"] == "workbench calibrate -o here.json --release 6.99"
    assert found.costs_are in out
    assert (target.with_suffix(".model.json")).exists() == (found.host["emulated"] is False)
    assert ("Not offered as a cost model" in out) == (found.host["emulated"] is not False)
    assert {one.user_exits for one in found.events if (one.protocol, one.event) == ("generic", "boot")} == {
        18
    }
