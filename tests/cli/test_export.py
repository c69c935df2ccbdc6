"""Models for other programs: the Promela text runs as its first lines say; the graphs are well-formed and complete."""

import json
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from tests.hostile.told import told
from tests.house.imports import ROOT
from workbench.cli import main
from workbench.lifecycle import EVENTS

STRING = r'"(?:[^"\\]|\\.)*"'
ATTRIBUTE = rf"\w+=(?:{STRING}|\w+)"
ATTRIBUTES = rf"\[({ATTRIBUTE}(?:, {ATTRIBUTE})*)\]"
NODE = re.compile(rf"  (\w+) {ATTRIBUTES};")
EDGE = re.compile(rf"  (\w+) -> (\w+) {ATTRIBUTES};")
GRAPHML = "{http://graphml.graphdrawing.org/xmlns}"


def parsed_dot(text):
    """Return (nodes, edges) of a DOT text; accept only the statements of DOT that the export uses."""
    first, *lines, last, end = text.split("\n")
    assert (first, last, end) == ("digraph states {", "}", "")
    nodes, edges = {}, []
    for line in lines:
        if found := EDGE.fullmatch(line):
            edges.append(found.groups())
        elif found := NODE.fullmatch(line):
            nodes[found[1]] = found[2]
        else:
            raise AssertionError(f"not a statement: {line}")
    assert nodes.pop("node") == "shape=box"
    return nodes, edges


def explored(capsys, *arguments):
    capsys.readouterr()
    assert main(["explore", *arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys, *arguments):
    assert main(["export", *map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return told(captured.err)[0]


@pytest.mark.spin
@pytest.mark.parametrize("arguments", [
    ["generic", "--events", "migrate", "--mitigations", "carry-registry"],
    ["per_feature+revoke-on-crossing", "--events", "double-registration-crossing", "--features", "kvmclock"],
    ["generic", "--events", "descriptor-race", "--property", "double-fetch,S01", "--updates", "0"],
], ids=["mitigation", "plus", "race"])  # fmt: skip
def test_the_first_lines_are_a_recipe_and_a_promise(arguments, tmp_path, capsys):
    file = tmp_path / "model.pml"
    assert main(["export", "promela", *arguments, "-o", str(file)]) == 0
    recipe = re.findall(r"^ \*   (spin .*|gcc .*|\./pan .*)$", file.read_text(), re.MULTILINE)
    assert len(recipe) == 3
    commands = [line.replace("FILE", "model.pml").split() for line in recipe]
    *_, said = [subprocess.run(c, cwd=tmp_path, capture_output=True, text=True, check=True).stdout for c in commands]
    result = explored(capsys, *arguments)
    assert f"{result['states']} states, stored" in " ".join(said.split())
    text = file.read_text()
    promised = re.findall(r"property +(\d+)  \w+  (\w[A-Z ]*?) +(\d+) states  (\w+)", text)
    premises = re.findall(r"premise +(\d+)  \w+ +(\d+) states", text)
    expected = {n: states for n, _, states, _ in promised} | dict(premises)
    assert dict(re.findall(r"property (\d+): (\d+) states", said)) == expected
    (exploration,) = result["explorations"]
    assert len(premises) == len(promised)
    assert [verdict for _, verdict, _, _ in promised] == list(exploration["verdicts"].values())
    for _, verdict, states, kind in promised:
        assert (verdict == "FAILS") is ((int(states) > 0) is (kind == "always")) or verdict == "NOT EXERCISED"


def test_the_text_is_the_same_in_every_run(tmp_path):
    texts = []
    for name in ("one.pml", "two.pml"):
        assert main(["export", "promela", "generic", "--events", "kexec", "-o", str(tmp_path / name)]) == 0
        texts.append((tmp_path / name).read_bytes())
    assert texts[0] == texts[1]
    assert b"Expected: " in texts[0]


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_no_text_shows_where_python_keeps_an_object(event, tmp_path):
    arguments = ["--events", event, "--features", "poll_control"]
    assert main(["export", "promela", "generic", *arguments, "-o", str(tmp_path / "x.pml")]) == 0
    assert " at 0x" not in (tmp_path / "x.pml").read_text()
    assert main(["export", "dot", "generic", *arguments, "-o", str(tmp_path / "x.dot")]) == 0
    assert "object at 0x" not in (tmp_path / "x.dot").read_text()


def test_a_migration_as_text_is_the_same_in_every_process(tmp_path):
    program = "import sys; from workbench.cli import main; sys.exit(main(sys.argv[1:]))"
    texts = []
    for seed in ("1", "2"):
        file = tmp_path / f"{seed}.pml"
        arguments = ["export", "promela", "generic", "--events", "init+migrate", "-o", str(file)]
        run = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        texts.append(file.read_text())
    assert texts[0] == texts[1]
    assert "OnHost(cpu=0, program=HostCall(save_on, <scenario <protocol generic>, 1 vCPU, steal_time>))" in texts[0]


@pytest.mark.parametrize("event", ["boot", "kexec-no-teardown"])
def test_dot_has_every_state_and_every_step(event, tmp_path, capsys):
    file = tmp_path / "graph.dot"
    assert main(["export", "dot", "generic", "--events", event, "-o", str(file)]) == 0
    nodes, edges = parsed_dot(file.read_text())
    result = explored(capsys, "generic", "--events", event)
    assert (len(nodes), len(edges)) == (result["states"], result["transitions"])
    assert {end for edge in edges for end in edge[:2]} == set(nodes)
    doubled = [attributes for attributes in nodes.values() if "peripheries=2" in attributes]
    assert doubled == [attributes for attributes in nodes.values() if "violates F01" in attributes]
    assert bool(doubled) is (event == "kexec-no-teardown")


def test_labels_say_what_is_pending_and_what_has_changed(tmp_path):
    file = tmp_path / "graph.dot"
    assert main(["export", "dot", "generic", "-o", str(file)]) == 0
    nodes, edges = parsed_dot(file.read_text())
    assert nodes["n0"] == r'label="state 0\levent: start boot (kernel 0) on vCPU 0\l"'
    assert any(r"\larea steal_time of vCPU 0 = 0x1" in label for label in nodes.values())
    assert any("vcpu0: exit: wrmsr 0x4b564d03" in label for *_, label in edges)
    assert max(len(line) for label in nodes.values() for line in label.split(r"\l")) < 200


def test_graphml_is_wellformed_and_whole(tmp_path, capsys):
    file = tmp_path / "graph.graphml"
    assert main(["export", "graphml", "per_feature", "--events", "migrate", "-o", str(file)]) == 0
    root = ElementTree.parse(file).getroot()
    assert root.tag == f"{GRAPHML}graphml"
    declared = {(key.get("for"), key.get("id")) for key in root.iter(f"{GRAPHML}key")}
    nodes, edges = list(root.iter(f"{GRAPHML}node")), list(root.iter(f"{GRAPHML}edge"))
    used = {("node", data.get("key")) for node in nodes for data in node}
    used |= {("edge", data.get("key")) for edge in edges for data in edge}
    assert used == declared
    names = {node.get("id") for node in nodes}
    result = explored(capsys, "per_feature", "--events", "migrate")
    assert (len(names), len(edges)) == (result["states"], result["transitions"])
    assert {edge.get(end) for edge in edges for end in ("source", "target")} == names


def test_several_events_are_several_files(tmp_path):
    folder = tmp_path / "graphs"
    assert main(["export", "dot", "null", "--events", "boot,kexec", "-o", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["null-boot.dot", "null-kexec.dot"]
    for path in folder.iterdir():
        parsed_dot(path.read_text())


def test_what_cannot_be_written_is_refused_and_nothing_is_left(tmp_path, capsys):
    target = tmp_path / "x"
    said = refusal(capsys, "promela", "generic", "--max-states", 100, "-o", target)
    assert said == "cannot export a model that was not searched completely (limit of 100 states)"
    said = refusal(capsys, "dot", "generic", "--max-states", 100, "-o", target)
    assert said == "the graph has more than 100 states; raise the limit or shrink the model"
    said = refusal(capsys, "dot", "generic", "--events", "boot,kexec", "--max-states", 100, "-o", target)
    assert said.startswith("the graph has more than 100 states")
    assert list(tmp_path.iterdir()) == []
    nowhere = tmp_path / "nowhere"
    said = refusal(capsys, "dot", "null", "-o", nowhere / "x")
    assert said == f"cannot write '{nowhere}/x': there is no directory '{nowhere}'"
    said = refusal(capsys, "dot", "null", "-o", tmp_path)
    assert said == f"cannot write '{tmp_path}': it is a directory; name a file"
    target.write_text("kept")
    said = refusal(capsys, "dot", "null", "--events", "boot,kexec", "-o", target)
    assert said == f"cannot write into directory '{target}': it is a file; several events need a directory"
    assert target.read_text() == "kept"


def test_names_are_checked_as_everywhere(tmp_path, capsys):
    file = tmp_path / "x"
    assert refusal(capsys, "dot", "nobody", "-o", file) == "unknown protocol 'nobody'"
    said = refusal(capsys, "promela", "null", "--events", "noon", "-o", file)
    assert said == "unknown event 'noon'"
    assert refusal(capsys, "dot", "null", "--property", "F99", "-o", file) == "unknown property 'F99'"
    said = refusal(capsys, "dot", "null", "--events", "cpu-hotplug", "--vcpus", 1, "-o", file)
    assert said == "event 'cpu-hotplug' needs at least 2 vCPUs; here are 1"
    said = refusal(capsys, "dot", "null", "--events", "boot,kexec")
    assert said == "several events are several files; name a directory for them: --output DIR"
    assert not file.exists()


def test_without_output_the_model_goes_to_stdout(tmp_path, capsys):
    file = tmp_path / "null.pml"
    assert main(["export", "promela", "null", "-o", str(file)]) == 0
    assert main(["export", "promela", "null"]) == 0
    assert capsys.readouterr().out == file.read_text()
