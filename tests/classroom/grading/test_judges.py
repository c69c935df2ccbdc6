"""Judges are not fooled by a design that behaves in the explorer as it does nowhere else.

The reading of designs refuses the step Now, by which a program could tell (``design_text``); here the judge alone
holds.
"""

import pytest

from tests.classroom.grading.submissions import empty, right
from workbench.classroom import judged
from workbench.classroom.grading.design_text import complaint

HANDLER = "    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):\n"
SEARCHED = "        if (yield Now()).tsc < 1000"


def aware(text, condition, then, before=HANDLER):
    """Return a design that does something else while it is searched."""
    assert before in text
    changed = text.replace(before, f"{before}{SEARCHED}{condition}:\n            {then}\n", 1)
    return changed.replace("import ", "import AllVcpus, Now, ", 1)


KEEP = "    def keep(self, cpu, value):\n"
DESIGNS = {
    "repair, refuses": ("repair", aware(empty("repair"), "", "return FAULT")),
    "repair, keeps nothing": ("repair", aware(empty("repair"), "", "return", KEEP)),
    "kexec, refuses": ("survive-kexec", aware(empty("survive-kexec"), "", "return FAULT")),
    "kexec, alone": (
        "survive-kexec", aware(empty("survive-kexec"), " and len((yield AllVcpus())) == 1", "return FAULT")
    ),
    "own, refuses": ("own-design", aware(right("own-design"), "", "return FAULT")),
    "own, no race": (
        "own-design", aware(right("own-design"), " and len((yield AllVcpus())) == 2", "return FAULT")
    ),
    "own, nothing happens": ("own-design", aware(right("own-design"), "", "return HANDLED")),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), DESIGNS.values(), ids=DESIGNS)
def test_a_design_that_knows_that_it_is_searched_does_not_pass(name, text):
    found = judged(name, text)
    assert not found.passed
    assert "no payload ever arrives" in found.said or "areas are" in found.said or "false" in found.said, found.said
    assert "imports Now" in complaint(text)
