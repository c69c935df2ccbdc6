"""The files that the bad input is in: replay files, cost models, C text, designs; also what is no file at all."""

import os
from pathlib import Path

_COST = (
    '{"name": "mine", "title": "t", "kernel_exit_cycles": %s, "user_exit_cycles": 1, "memory_access_cycles": 1, '
    '"hardware": "h", "date": "d", "source": "s", "confidence": "c", "stands_for": "f"}'
)
_DIGITS = "9" * 5000
_DEEP = "[" * 100_000

#: Name -> content; names end as the command expects them to.
CONTENTS = {
    "good.jsonl": '{"op": "wrmsr", "msr": "0x12", "value": 1}\n',
    "bom.jsonl": b'\xef\xbb\xbf{"op": "wrmsr", "msr": "0x12", "value": 1}\r\n',
    "deep.jsonl": _DEEP,
    "deep-object.jsonl": '{"a":' * 100_000,
    "twice.jsonl": '{"op": "run", "op": "run"}',
    "twice-inside.jsonl": '{"op": "rdmsr", "msr": 1, "expect": {"value": 1, "value": 2}}',
    "nan.jsonl": '{"op": "wrmsr", "msr": 1, "value": NaN}',
    "infinite.jsonl": '{"op": "wrmsr", "msr": 1, "value": -1e999}',
    "digits.jsonl": '{"op": "wrmsr", "msr": 1, "value": ' + _DIGITS + "}",
    "digits-text.jsonl": '{"op": "wrmsr", "msr": 1, "value": "0x' + _DIGITS + '"}',
    "fraction.jsonl": '{"op": "wrmsr", "msr": 1, "value": 1.5}',
    "negative.jsonl": '{"op": "wrmsr", "msr": 1, "value": -1}',
    "many.jsonl": '{"op": "machine", "vcpus": 1000000000000}',
    "nobody.jsonl": '{"op": "machine", "vcpus": 0}',
    "huge.jsonl": '{"op": "ram", "gpa": 0, "size": "0xfffffffffffff000"}',
    "protocol.jsonl": '{"op": "machine", "protocol": "../evil.py:Mine"}',
    "latin1.jsonl": '{"op": "wrmsr", "who": "caf\xe9"}'.encode("latin-1"),
    "utf16.jsonl": '{"op": "run"}'.encode("utf-16"),
    "nul.jsonl": b'{"op": "run\0"}',
    "list.jsonl": "[1]",
    "text.jsonl": "not JSON",
    "escape.jsonl": '{"op": "\\u001b[31mred\\u202e"}',
    "surrogate.jsonl": '{"op": "\\ud800"}',
    "good.json": _COST % 1,
    "twice.json": '{"name": "a", "name": "b"}',
    "nan.json": _COST % "NaN",
    "infinite.json": _COST % "1e999",
    "digits.json": _COST % _DIGITS,
    "negative.json": _COST % -1,
    "fraction.json": _COST % 1.5,
    "true.json": _COST % "true",
    "deep.json": _DEEP,
    "latin1.json": '{"name": "caf\xe9"}'.encode("latin-1"),
    "utf16.json": '{"name": "x"}'.encode("utf-16"),
    "nul.json": b"\0",
    "list.json": "[]",
    "empty.json": "",
    "part.json": '{"name": "x"}',
    "good.h": "struct s { __u64 a; };\n",
    "bom.h": b"\xef\xbb\xbfstruct s { __u64 a; };\r\n",
    "empty.h": "",
    "latin1.h": "struct s { __u64 a; }; /* caf\xe9 */".encode("latin-1"),
    "second-line.h": "struct s {\n__u64 \xe9;\n};".encode("latin-1"),
    "utf16.h": "struct s { __u64 a; };".encode("utf-16"),
    "nul.h": b"struct s { __u64 a\0; };",
    "deep.h": "struct s { " + "struct { " * 5000 + "__u8 a;" + "} x;" * 5000 + "};",
    "parentheses.h": f"struct s {{ __u8 a[{'(' * 5000}1{')' * 5000}]; }};",
    "digits.h": f"struct s {{ __u8 a[{_DIGITS}]; }};",
    "shift.h": "struct s { __u8 a[1 << 100000000000]; };",
    "divide.h": "struct s { __u8 a[1 / 0]; };",
    "minus.h": "struct s { __u8 a[-1]; };",
    "endless.h": "struct s { struct s a; };",
    "binary.h": bytes(range(1, 128)),
    "syntax.py": "def (:\n",
    "nul.py": b"a = 1\0\n",
    "latin1.py": "a = 'caf\xe9'\n".encode("latin-1"),
    "cookie.py": "# -*- coding: klingon -*-\n",
    "deep.py": "a = " + "(" * 10_000 + ")" * 10_000,
    "sum.py": "a = " + "+".join("1" * 50_000),
    "empty.py": "",
    "recursion.py": "def f():\n    f()\nf()\n",
    "exit.py": "import sys\nsys.exit(0)\n",
    "interrupt.py": "raise KeyboardInterrupt\n",
    "generator.py": "raise GeneratorExit\n",
    "memory.py": "raise MemoryError\n",
    "system.py": "raise SystemExit('done')\n",
    "group.py": "raise BaseExceptionGroup('several', [SystemExit(0), ValueError('x')])\n",
    "stop.py": "raise StopIteration\n",
    "hangup.py": "raise BrokenPipeError\n",
    "mute.py": "class Mute(Exception):\n    def __str__(self):\n        raise ValueError\nraise Mute\n",
    "bell.py": "raise ValueError('\\x1b[31m\\x07\\nnext\\u202e')\n",
    "library.py": "import json\njson.loads('{')\n",
    "absent.py": "import no_such_module\n",
}

_LINKS = {"zero": "/dev/zero", "null": "/dev/null", "kernel": "/proc/self/mem", "gone": "no"}


def lay_out(folder: Path) -> None:
    """Write all files into ``folder``, and what is no file: a folder, a pipe, links to devices and to nothing."""
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    for end in ("jsonl", "json", "h", "py"):
        (folder / f"folder.{end}").mkdir()
        os.mkfifo(folder / f"pipe.{end}")
        for name, target in _LINKS.items():
            (folder / f"{name}.{end}").symlink_to(target)
        (folder / f"circle.{end}").symlink_to(f"circle.{end}")
        with (folder / f"long.{end}").open("wb") as file:
            file.truncate((64 << 20) + 1)  # a hole takes no room on the disk
    (folder / "kept.txt").write_text("read only\n")
    (folder / "kept.txt").chmod(0o444)
    (folder / "old.txt").write_text("the old result\n")
