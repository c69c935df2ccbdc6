"""The text of a design for points: what designs need is read; whatever reaches further is refused, with its line."""

import re
from pathlib import Path

import pytest

from tests.classroom.grading.submissions import empty, right, wrong
from tests.classroom.refresh import WRONG
from workbench import design
from workbench.classroom import EXERCISES
from workbench.classroom.grading.design_text import PARTS, complaint
from workbench.present.new_design.styles import STYLES

DESIGNS = [exercise.name for exercise in EXERCISES.values() if exercise.kind == "design"]
PLAIN = right("repair")


@pytest.mark.parametrize("name", DESIGNS)
def test_what_students_write_is_read(name):
    count = len(list((WRONG / name).glob("*.py")))
    for text in (empty(name), right(name), *(wrong(name, number) for number in range(count))):
        assert complaint(text) is None


def in_method(line):
    """Return the solution of an exercise with ``line`` at the beginning of a method."""
    return re.sub(r"(    def supports\(self, feature\):\n)", rf"\1        {line}\n", PLAIN)


def in_class(line):
    return re.sub(r'(    name, title = "twice".*\n)', rf"\1    {line}\n", PLAIN)


METHOD = [
    "x = self.native\n        x |= {'a': 1}",
    "feature |= {'a': 1}",
    "x = self.features or ()\n        x += (1,)",
    "for x in self.features: x *= 2",
    "x = (yield feature)\n        x += 1",
    "from workbench.design import LinuxKernel",
    "from workbench.design import Now",
    "from workbench.design import Scenario",
    "from workbench.design import host_side",
    "from workbench.design import Key as K",
    "import os",
    "from os import system",
    "from workbench.classroom import judging",
    "from workbench.design import Note",
    "from workbench import design",
    "from . import design",
    "from typing import sys",
    "from collections.abc import sys",
    "from workbench.design import *",
    "eval('1')",
    "exec('1')",
    "open('x')",
    "x = open",
    "getattr(self, 'x')",
    "setattr(feature, 'size', 1)",
    "vars(self).clear()",
    "globals()",
    "type('X', (), {})",
    "type(type(1))('X', (), {})",
    "x = type(self)",
    "x = type\n        x(self) is int",
    "type(type(1)) is int",
    "x = type(1, **{}) is int",
    "object()",
    "breakpoint()",
    "exit()",
    "input()",
    "memoryview(b'')",
    "__import__('os')",
    "__builtins__",
    "x = self.__class__",
    "x = self.supports.__globals__",
    "x = (1).__class__.__base__.__subclasses__()",
    "x = (y for y in ()).gi_frame.f_back",
    "x = (y for y in ()).gi_code",
    "x = '{0.__class__}'.format(self)",
    "x = '{a.__class__}'.format_map({})",
    "self.x = 1",
    "feature.size = 1",
    "Protocol.register = None",
    "Protocol.name, x = 1, 2",
    "del self.x",
    "self.native['x'] = 1",
    "x = self.native\n        x['a'] = 1",
    "self.mitigations_known.update({'x': 'y'})",
    "self.mitigations_known.update(a='y')",
    "self.native.update(*[1, 2, 3])",
    "x = self.native.update",
    "self.by_name.clear()",
    "self.by_name.pop('x')",
    "self.by_name.setdefault('x', 1)",
    "for self.x in (1,): pass",
    "[0 for self.x in (1,)]",
    "with self as x: pass",
    "try: pass\n        except BaseException: pass",
    "try: pass\n        except: pass",
    "try: pass\n        except (ValueError, BaseException): pass",
    "try: pass\n        except self.name: pass",
    "try: pass\n        except* ValueError: pass",
    "try: pass\n        except ValueError as x: x.__traceback__",
    "raise SystemExit",
    "raise KeyboardInterrupt",
    "raise BaseException",
    "global answer",
    "async def f(): pass",
    "class X: pass",
    "class X(str): pass",
    "class X(Store): pass",
    "class X(Protocol, metaclass=Protocol): pass",
    "match self:\n            case 1: pass",
    "x = lambda __y: 1",
    "x = self.throw",
    "x = (y for y in ()).send(1)",
    "x = feature.payload.trees",
    "x = Load.count.__self__",
]
CLASS = [
    "kept = map(int, '12')",
    "kept = (n for n in (1, 2))\n    def x(self): return next(self.kept)",
    "def x(self, kept=list('12')): return kept",
    "def x(self, kept=zip()): return kept",
    "def make():\n        yield 1\n    kept = make()",
    "kept = reversed((1, 2))",
    "x = lambda kept=enumerate('12'): kept",
    "kept = 0\n    kept |= {}\n    for kept in ({},): pass",
    "def __eq__(self, other): return True",
    "def __init_subclass__(cls): pass",
    "__slots__ = ()",
    "__class__ = 1",
    "def serving(self, entries, owner, feature, gpa): return gpa",
    "serving = lambda *a: a[-1]",
    "answers_itself = False",
    "def _serves(self): pass\n    def __repr__(self): return 'x'",
    "def send(self): yield 1\n    def x(self): self.send().send(1)",
    "x = struct('struct s { __u64 _member_map_; };')\n    def x(self): return FAULT._member_map_",
    "_replace = 1\n    def x(self, cpu): return cpu._replace(index=1)",
    "append = 1\n    def x(self): self.by_name.append(1)",
    "clear = 1\n    def x(self): self.by_name.clear()",
    "gi_frame = 1\n    def x(self): return self.gi_frame",
    "Protocol.supports = None",
    "@Protocol\n    def x(self): pass",
    "@property.setter\n    def x(self): pass",
]


@pytest.mark.parametrize("line", METHOD)
def test_a_method_that_reaches_further_is_refused(line):
    text = in_method(line)
    assert text != PLAIN
    line = PLAIN.splitlines().index("    def supports(self, feature):") + 2
    said = re.match(r"answer.py:(\d+): ", complaint(text) or "")
    assert said, complaint(text)
    assert line <= int(said[1]) <= line + 2


@pytest.mark.parametrize("line", CLASS)
def test_a_class_that_reaches_further_is_refused(line):
    text = in_class(line)
    assert text != PLAIN
    assert re.match(r"answer.py:\d+: (uses|defines|sets|has|calls|may change) ", complaint(text) or ""), complaint(text)


@pytest.mark.parametrize(
    "text",
    [
        "# coding: utf-7\n+AAo-import os\n",
        "# -*- coding: unicode_escape -*-\n#\\nimport os\n",
        "\n# vim: set fileencoding=utf_16 :\n",
        "import\tos",
        "\x0cimport os",
        "x = 1; import os",
        "\N{FULLWIDTH LATIN SMALL LETTER E}val('1')",
        "x = self.\N{MATHEMATICAL ITALIC SMALL G}i_frame",
        "x = ((((" * 200,
        "x = " + "-" * 100_000 + "1",
        "x = " + "1 + " * 20_000 + "1",
        "def f():\n" + "".join(" " * n + "if 1:\n" for n in range(1, 200)),
        "\0",
        "x = '\ud800'",
        "lambda: (yield)\nx: int = __import__",
        "print(f'{open}')",
        "print(f'{1:{open}}')",
    ],
    ids=range(17),
)
def test_other_spellings_change_nothing(text):
    assert complaint(text)


@pytest.mark.parametrize(
    "line",
    ["x = ()\n        x += (1,)", "x = 0\n        x |= 1 << 3\n        x -= 1", "x: int = -1\n        x += 1",
     "x = ''\n        x += f'{1}'", "x = [n for n in (1, 2)]", "x = {'a': 1}.get('a')", "print(1)", "assert feature",
     "x = type(feature) is not tuple and 1 == type(2)", "raise ValueError('not written')",
     "def _own(self): return 1\n        x = self._own()",
     "try: pass\n        except (TypeError, ValueError): pass"],
)  # fmt: skip
def test_what_changes_nothing_is_read(line):
    assert complaint(in_method(line)) is None


def test_every_name_that_authors_import_is_for_points_or_not():
    """A new name of workbench.design is entered in PARTS, or here as one that no design for points needs."""
    assert set(design.__all__) >= PARTS
    assert set(design.__all__) - PARTS == {
        # ghosts: what the checks look at
        "Note", "Key", "believes", "asked",
        # by its size, the time tells which engine runs a program
        "Now", "Moment",
        # events, and the machine around a design
        "Event", "AfterBoot", "AtBoot", "Migration", "LinuxKernel", "Scenario", "Unit", "DESCRIPTOR", "AddMemslot",
        "DeleteMemslot", "MoveMemslot", "Each", "each", "Enter", "GuestCall", "HostCall", "Init", "KernelGone",
        "NewHost", "OnHost", "Pause", "Resume", "Reassign", "Start", "Stop", "Wait", "WaitAll", "boot_all",
        "enter_all", "host_side", "of_its_own", "starting",
        # memory sent in rounds, and what a host writes past its log
        "MarkDirty", "SendDirty", "SendMemory", "StoreMapped",
        # features of one's own
        "Compared", "Counted", "Hidden",
    }  # fmt: skip


def test_styles_that_ship_are_read(tmp_path, monkeypatch):
    """What ``workbench new`` writes can be handed in, as far as it has no feature or notebook of its own."""
    from workbench.cli import main

    monkeypatch.chdir(tmp_path)
    for style in STYLES:
        assert main(["new", f"my_{style}", "--style", style]) == 0
        assert complaint(Path(f"my_{style}.py").read_text(encoding="utf-8")) is None
