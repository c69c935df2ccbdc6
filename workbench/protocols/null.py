"""The null protocol: it registers nothing, and the guest knows that.

R1  The host claims no register.
R2  The guest concludes REFUSED without asking; there is no exit and no state.

It is the baseline for the measurements of the other protocols.
"""

from workbench.core.contracts import Feature, Protocol
from workbench.core.outcome import REFUSED, UNKNOWN
from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu


class Null(Protocol):
    """No sharing at all."""

    name = "null"
    title = "no registration"
    msrs = frozenset()  # R1

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return REFUSED  # R2
        yield

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        return UNKNOWN  # R1
        yield
