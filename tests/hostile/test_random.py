"""Random command lines and random files end in a status and at most one line on stderr: never in a traceback."""

import json
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.told import told
from workbench.clayout.layout import compare_abis, struct
from workbench.cli import main, parser
from workbench.errors import WorkbenchError
from workbench.measure.comparison import cost
from workbench.reading import as_text, parse_json
from workbench.replay.reading import parse

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
COMMANDS = next(action for action in parser()._actions if action.dest == "command").choices
#: Words that never name a piece of long work.
WORDS = st.one_of(
    st.sampled_from([
        "", "-", "--", "-o", "-1", "0", "1e9", "nan", "all+", ",", "+", "x.py", "x.py:", ":", "..", "/", "/dev/null",
        "=", "--vcpus", "--events", "--format", "--format=json", "--vcpus=", "--seed", "null+", "\x1b", "\u202e",
        "9" * 5000,
    ]),
    st.text(max_size=12).map(lambda text: f"?{text}"),
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["op", "cpu", "msr", "value", "gpa", "size", "hex", "expect", "vcpus", "protocol", "x"])
OPERATIONS = st.sampled_from(["machine", "ram", "unplug", "wrmsr", "rdmsr", "store", "load", "run", "init", "x"])


@FEW
@given(st.sampled_from([*COMMANDS, "nothing"]), st.lists(WORDS, max_size=4))
def test_command_lines(capsys, tmp_path, monkeypatch, command, words):
    monkeypatch.chdir(tmp_path)
    status = main([command, "--no-such-option-at-all", *words])
    out, err = capsys.readouterr()
    assert status == 2, (out, err)
    assert told(err)[0]
    assert list(tmp_path.iterdir()) == []


@FEW
@given(st.binary(max_size=200))
def test_bytes_as_a_replay_file(content):
    refused_or_read(lambda: parse("x.jsonl", content))


@settings(FEW, max_examples=200)
@given(st.lists(st.tuples(OPERATIONS, st.dictionaries(KEYS, VALUES, max_size=4)), max_size=4))
def test_json_as_a_replay_file(operations):
    content = "\n".join(json.dumps({**keys, "op": op}) for op, keys in operations)
    refused_or_read(lambda: parse("x.jsonl", content.encode("utf-8", "surrogatepass")))


@FEW
@given(st.dictionaries(st.sampled_from(["name", "title", "kernel_exit_cycles", "source", "x"]), VALUES, max_size=5))
def test_json_as_a_cost_model(tmp_path, record):
    (tmp_path / "x.json").write_text(json.dumps(record), encoding="utf-8", errors="surrogatepass")
    refused_or_read(lambda: cost.load(str(tmp_path / "x.json")))


@settings(FEW, max_examples=200)
@given(st.lists(st.sampled_from([
    "struct", "union", "enum", "s", "{", "}", ";", "(", ")", "[", "]", "*", ",", ":", "__u8", "__u64", "int", "a", "1",
    "99999999999999999999", "<<", "-", "/", "0", "#define", "\n", "__attribute__", "((packed))", "//", "/*", '"', "\0",
    "\u00e9", "0x",
]), max_size=30))
def test_words_as_c_text(words):
    refused_or_read(lambda: compare_abis(struct(" ".join(words))))


@FEW
@given(st.text() | VALUES.map(json.dumps))
def test_text_as_json(text):
    refused_or_read(lambda: parse_json(text))


@FEW
@given(st.binary())
def test_bytes_as_text(content):
    refused_or_read(lambda: as_text(content, "x cannot be read"))


def refused_or_read(read):
    """Let anything be read, or refused in the way that the command line prints; all else is a fault."""
    with suppress(WorkbenchError):
        read()


@pytest.mark.parametrize("text", ["[" * 50_000, '{"a":' * 50_000, "9" * 5000, "-" + "9" * 5000, "NaN"])
def test_json_that_breaks_parsers(text):
    with pytest.raises(WorkbenchError):
        parse_json(text)
