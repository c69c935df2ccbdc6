"""All structs that a text defines, on both ABIs, and what it leaves out.

Rule: one definition that cannot be read costs no other one. Asking for it, or for one that needs it, gives the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workbench.clayout.abi import Abi
from workbench.clayout.parser import LeftOut, Parsed, parse
from workbench.clayout.preprocess import Headers, preprocess
from workbench.clayout.tree import CStruct
from workbench.errors import LayoutError, not_known


@dataclass(frozen=True)
class Definitions:
    """What a text defines, as each ABI sees it."""

    by_abi: dict[Abi, Parsed]

    @property
    def names(self) -> list[str]:
        """The structs and unions that stand in the text: nested ones, then the others in order."""
        own = [
            *(name for parsed in self.by_abi.values() for name, found in parsed.others.items() if _in_text(found)),
            *(name for parsed in self.by_abi.values() for name in parsed.structs),
        ]
        return list(dict.fromkeys(own))

    @property
    def left_out(self) -> list[LeftOut]:
        """What the text itself leaves out, in order; what both ABIs leave out for the same reason stands once."""
        found = [one for parsed in self.by_abi.values() for one in parsed.left_out if isinstance(one.line, int)]
        return sorted(dict.fromkeys(found), key=lambda one: int(one.line))

    def find(self, name: str | None = None) -> dict[Abi, CStruct]:
        """The struct called ``name``, or the text's last one, on each ABI that has it.

        Raises LayoutError, with its reason, if it is left out on an ABI, and if the text does not define it.
        """
        found: dict[Abi, CStruct] = {}
        for abi, parsed in self.by_abi.items():
            made = self._on(abi, parsed, name)
            if made is not None:
                found[abi] = made
        if not found and name is None:
            words = next((one for one in (parsed.words for parsed in self.by_abi.values()) if one), None)
            left = self.left_out[0].reason if self.left_out else words and words.reason
            raise LayoutError(left or "no struct definition in the text")
        if not found:
            raise not_known(f"no struct {name} in the text", name or "", self.names, lead="it defines").within(
                "", LayoutError
            )
        return found

    def _on(self, abi: Abi, parsed: Parsed, name: str | None) -> CStruct | None:
        asked = name if name is not None else parsed.last
        reason = parsed.reasons.get(asked or "")
        if reason is not None:
            raise LayoutError(reason)
        return parsed.structs.get(asked or "") or parsed.others.get(asked or "")


def define(text: str, headers: Headers | None = None, defines: Iterable[str] = (), side: str = "new") -> Definitions:
    """Read C text for both ABIs; the arguments are those of `workbench.clayout.preprocess.preprocess`."""
    given = tuple(defines)
    return Definitions({abi: parse(preprocess(text, abi, headers, given, side), abi) for abi in Abi})


def _in_text(found: CStruct) -> bool:
    return isinstance(found.line, int)
