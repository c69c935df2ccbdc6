"""The parts of a post, in the order in which they stand by default; a new part is a file here and a line below."""

from collections.abc import Callable, Mapping

from workbench.present.post.asked import Asked
from workbench.present.post.parts import exits, failures, hardware, measured, repairs, skew, state, trace, verdict
from workbench.present.post.section import Section

#: By name: a function of the subject and of what follows the name ("trace F05:descriptor-race").
PARTS: Mapping[str, Callable[[Asked, str], Section]] = {
    "exits": exits.section,
    "state": state.section,
    "failures": failures.section,
    "hardware": hardware.section,
    "repairs": repairs.section,
    "skew": skew.section,
    "trace": trace.section,
    "measured": measured.section,
    "verdict": verdict.section,
}
#: Parts that a post has when none is named.
DEFAULT = ("exits", "state", "failures", "trace", "verdict")
#: Parts that take words of their own; for others they are an error.
WITH_WORDS = frozenset({"trace"})
