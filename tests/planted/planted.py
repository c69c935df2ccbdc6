"""A planted mistake: a changed copy of a shipped protocol, and where it is seen."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import workbench

#: Modules that hold a part of some protocols: the registry of generic and its migration, and the loop of all restores.
PARTS = ("protocols._registry", "core.restoring")


class Planted(NamedTuple):
    """A mistake; ``code``: the property that fails for it and not for the right design, or "table": a table differs."""

    name: str
    event: str
    vcpus: int
    features: str  #: names, separated by commas
    code: str
    changes: Sequence[tuple[str, str]]  #: (right text, which stands once in the protocol or its parts; wrong text)
    mitigations: tuple[str, ...] = ()

    @property
    def is_slow(self) -> bool:
        """Whether the exploration takes seconds rather than a fraction of one."""
        return self.vcpus > 1 or self.event == "hostile-endless"

    def written(self, base: str, folder: Path) -> str:
        """Write the changed copy of ``base`` into a folder; return how a command names it."""
        text = whole(base)
        for right, wrong in self.changes:
            assert text.count(right) == 1, right
            text = text.replace(right, wrong)
        file = folder / f"{self.name}.py"
        file.write_text(text.replace(f'    name = "{base}"', f'    name = "{self.name}"'))
        return self.named(str(file))

    def named(self, protocol: str) -> str:
        """Return a protocol's name with the mitigations under which the mistake is looked for."""
        return "+".join((protocol, *self.mitigations))


def whole(base: str) -> str:
    """Return the text of a protocol in which the text of each part stands where the part was imported."""
    package = Path(workbench.__file__).parent
    text = (package / "protocols" / f"{base}.py").read_text()
    for part in PARTS:
        if imported := re.search(rf"^from workbench\.{re.escape(part)} import .*\n", text, re.MULTILINE):
            text = text.replace(imported[0], (package / f"{part.replace('.', '/')}.py").read_text())
    return text
