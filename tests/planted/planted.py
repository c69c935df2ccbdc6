"""A planted mistake: a changed copy of a shipped protocol, and where it is seen."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import workbench


class Planted(NamedTuple):
    """A mistake; ``code``: the property that fails for it and not for the right design, or "table": a table differs."""

    name: str
    event: str
    vcpus: int
    features: str  #: names, separated by commas
    code: str
    changes: Sequence[tuple[str, str]]  #: (right text, which stands once in the file; wrong text)
    mitigations: tuple[str, ...] = ()

    @property
    def is_slow(self) -> bool:
        """Whether the exploration takes seconds rather than a fraction of one."""
        return self.vcpus > 1 or self.event == "hostile-endless"

    def written(self, base: str, folder: Path) -> str:
        """Write the changed copy of ``base`` into a folder; return how a command names it."""
        text = (Path(workbench.__file__).parent / "protocols" / f"{base}.py").read_text()
        for right, wrong in self.changes:
            assert text.count(right) == 1, right
            text = text.replace(right, wrong)
        file = folder / f"{self.name}.py"
        file.write_text(text.replace(f'    name = "{base}"', f'    name = "{self.name}"'))
        return self.named(str(file))

    def named(self, protocol: str) -> str:
        """Return a protocol's name with the mitigations under which the mistake is looked for."""
        return "+".join((protocol, *self.mitigations))
