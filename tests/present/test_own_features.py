"""Every command that takes protocols asks a design of another ABI about its own features, if none is named."""

import json
import re
import shlex

import pytest

from workbench.cli import main
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
}


@pytest.mark.parametrize("one", SAMPLES)
@pytest.mark.parametrize("name", COMMANDS)
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


@pytest.mark.parametrize("one", PROTOCOLS)
def test_every_design_registers_what_is_explored_by_default(one, tmp_path):
    """In no design is the default search about nothing."""
    if one == "null":
        pytest.skip("a design that registers nothing")
    out = tmp_path / "out"
    line = ["matrix", "--protocols", one, "--events", "boot", "--vcpus", "1", "--jobs", "1", "--property", "registers"]
    assert main([*line, "--format", "json", "-o", str(out)]) == 0
    assert [cell["verdict"] for cell in json.loads(out.read_text())] == ["HOLDS"]
