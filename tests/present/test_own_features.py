"""Every command that takes protocols asks a design of another ABI about its own features, if none is named."""

import argparse
import json
import re
import shlex

import pytest

from workbench.cli import main, parser
from workbench.protocols import PROTOCOLS

#: The designs that show it, with what their own areas are called.
SAMPLES = {"papr_vpa": "vpa", "pvtime": "stolen_time"}
#: Command lines; {one} is a design, {dir} a directory. Each writes a text that names the design's feature.
COMMANDS = {
    "compare": "compare --protocols {one} --events boot --vcpus 2 --format csv -o {dir}/out",
    "explore": "explore {one} --events boot --vcpus 1 -o {dir}/out",
    "matrix": "matrix --protocols {one} --events boot --vcpus 1 --jobs 1 -o {dir}/out",
    "export": "export promela {one} --vcpus 1 -o {dir}/out",
    "check": "check {one} -o {dir}/out",
    "post": "post --about exits,state,failures --protocols {one} --events boot --vcpus 2 --jobs 1 -o {dir}/out",
    "list": "list --protocols {one} -o {dir}/out",
    "hardware": "hardware --protocols {one} --steps 'one access' -o {dir}/out",
    "skew": "skew --protocols {one} --vcpus 2 -o {dir}/out",
    "page trace": "page trace {one} -o {dir}/out",
    "page trace beside": "page trace generic {one} -o {dir}/out",
    "page operation": "page operation {one} -o {dir}/out",
    "page matrix": "page matrix --protocols {one} --events boot --vcpus 1 --jobs 1 -o {dir}/out",
    "page compare": "page compare --protocols {one} --events boot --vcpus 2 -o {dir}/out",
    "page skew": "page skew --protocols {one} --vcpus 2 -o {dir}/out",
    "verdict": "verdict {one} --events boot --quick --no-repairs --jobs 1 --format json -o {dir}/out",
    "page verdict": "page verdict {one} --events boot --quick --no-repairs --jobs 1 -o {dir}/out",
    "crosscheck": "crosscheck --protocols {one} --events boot -o {dir}/out",
}
#: Commands that are asked by a test of their own below.
APART = {"report", "kvm", "replay", "page replay"}


def commands(of, words=()):
    """Every command that takes features, by its words, as the command line has them."""
    inner = [action for action in of._actions if isinstance(action, argparse._SubParsersAction)]
    if not inner and any(action.dest == "features" for action in of._actions):
        yield " ".join(words)
    for action in inner:
        for name, one in action.choices.items():
            yield from commands(one, (*words, name))


def test_every_command_that_takes_features_is_asked():
    """A new command that takes features needs a line in COMMANDS, or a test of its own."""
    assert set(commands(parser())) - APART <= set(COMMANDS)
    assert set(COMMANDS) - set(commands(parser())) == {"page trace beside", "page operation"}


@pytest.mark.parametrize("one", SAMPLES)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.spin) if name == "crosscheck" else name for name in COMMANDS]
)
def test_a_command_asks_about_the_designs_own_areas(name, one, tmp_path, capsys):
    words = shlex.split(COMMANDS[name].format(one=one, dir=tmp_path))
    assert main(words) == 0, capsys.readouterr().err
    text = (tmp_path / "out").read_text()
    assert re.search(rf"\b{SAMPLES[one]}\b", text)
    assert "0 of 0 bytes" not in text or one == "pvtime"  # nothing of pvtime is carried
    assert 'unsupported"]' not in text


@pytest.mark.parametrize("one", SAMPLES)
def test_a_report_explores_the_designs_own_areas(one, tmp_path, capsys):
    assert main(["report", str(tmp_path / "r"), "--protocols", one, "--events", "boot", "--vcpus", "2",
                 "--no-notebooks"]) == 0  # fmt: skip
    assert "never happens" not in capsys.readouterr().out  # S01 and S02: areas are registered and are written
    assert SAMPLES[one] in (tmp_path / "r" / "index.html").read_text()


@pytest.mark.kvm
@pytest.mark.parametrize(("one", "exits"), [("papr_vpa", 3), ("pvtime", 3)])
def test_a_real_machine_registers_the_designs_own_areas(one, exits, tmp_path):
    """Every call of these designs goes to the VMM there; one that carries none of the features makes no call."""
    out = tmp_path / "out"
    line = ["kvm", "--protocols", one, "--events", "boot", "--vcpus", "1", "--format", "json", "-o", str(out)]
    assert main(line) == 0
    assert [run["measured_user_exits"] for run in json.loads(out.read_text())] == [exits]


@pytest.mark.parametrize("command", ["replay", "page replay"])
def test_a_replayed_call_is_answered_for_the_designs_own_areas(command, tmp_path):
    """PV_TIME_ST needs the stolen time; with KVM's features alone the machine has no such call."""
    file, out = tmp_path / "ask.jsonl", tmp_path / "out"
    file.write_text('{"op": "hypercall", "number": "0xc5000021"}\n')
    line = [*command.split(), str(file), "--protocol", "pvtime", "-o", str(out)]
    assert main(line) == 0
    assert main([*line, "--features", "steal_time"]) == 2


@pytest.mark.parametrize("one", PROTOCOLS)
def test_every_design_registers_what_is_explored_by_default(one, tmp_path):
    """In no design is the default search about nothing."""
    if one == "null":
        pytest.skip("a design that registers nothing")
    out = tmp_path / "out"
    line = ["matrix", "--protocols", one, "--events", "boot", "--vcpus", "1", "--jobs", "1", "--property", "registers"]
    assert main([*line, "--format", "json", "-o", str(out)]) == 0
    assert [cell["verdict"] for cell in json.loads(out.read_text())] == ["HOLDS"]


def test_a_comparison_of_several_abis_names_no_features_in_its_command():
    """Its numbers are of what each design carries; naming all would be another question."""
    from workbench.present.web import comparison

    several, one = (comparison(designs, ["boot"], each_feature=False).data
                    for designs in (["generic", "papr_vpa"], ["generic", "per_feature"]))  # fmt: skip
    assert (several["features"], several["asked"]["all"]) == (["features of each design"], [])
    assert one["features"] == ["all features"]
    assert "steal_time" in one["asked"]["all"]


def test_the_apps_forms_fit_any_design():
    """No form begins with a feature of KVM's ticked, which a design of another ABI does not carry."""
    from workbench.present.app.questions import QUESTIONS, TICKED

    fields = [field for one in QUESTIONS.values() for field in one.fields]
    ticked = [field for field in fields if (field.name, field.kind) == ("features", TICKED)]
    assert ticked
    assert [field.begins for field in ticked if field.begins] == []
