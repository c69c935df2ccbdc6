"""TDX GetQuote: the VMM writes a later answer, and its status, into a buffer of the guest.

V1  The guest passes the address of a shared buffer; the VMM accepts it and returns success at once.
V2  The VMM writes quote and status into the buffer when it has them, and then releases the buffer.
V3  The guest polls the status a few times. A guest that reuses the buffer after a timeout loses the data
    it writes there; Linux keeps a buffer that timed out and refuses further requests.

Source: Linux arch/x86/coco/tdx/tdx.c (tdx_hcall_get_quote), drivers/virt/coco/tdx-guest (6.12).
"""

from collections.abc import Mapping
from typing import Any

from workbench.clayout.layout import U64, struct
from workbench.core.contracts import Feature, Protocol
from workbench.core.host_state import area, registry
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, REFUSED
from workbench.core.steps import Get, Load, Moment, Program, Set, Store, ToUser, Wrmsr
from workbench.core.vcpu import Vcpu

TDVMCALL_GET_QUOTE = 0x1_0002
STATUS = 8  # offset in the buffer
POLLS = 2


class Quote(Feature):
    """The head of struct tdx_quote_buf."""

    name = "quote"
    title = "TDX quote buffer"
    payload = struct("struct tdx_quote_buf { __u64 version; __u64 status; __u32 in_len; __u32 out_len; };")
    size = 24
    align = 8
    update_when = "event"
    linux_boot = linux_teardown = 0
    source = "Linux drivers/virt/coco/tdx-guest"

    def prepare(self, gpa: int) -> Program:
        yield Store(gpa, self.payload(version=1))

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        yield Store(gpa + STATUS, 1, U64)  # V2


class GetQuote(Protocol):
    """TDVMCALL<GetQuote>."""

    name = "tdx_get_quote"
    title = "TDX GetQuote"
    msrs = frozenset({TDVMCALL_GET_QUOTE})

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        outcome = yield Wrmsr(TDVMCALL_GET_QUOTE, gpa)  # V1
        if outcome is FAULT:
            return REFUSED
        for _ in range(POLLS):
            if (yield Load(gpa + STATUS, U64)):  # V3
                break
        return ACCEPTED

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        yield ToUser("get quote")
        yield Set(area(cpu.index, "quote"), value)  # V1
        return HANDLED

    def deliver(self, cpu: Vcpu, feature: Feature) -> Program:
        gpa = yield Get(area(cpu.index, feature.name))
        yield from super().deliver(cpu, feature)
        yield Set(registry(cpu.index, "answered"), gpa)
        yield Set(area(cpu.index, feature.name), None)  # V2

    def serving(self, entries: Mapping[Any, Any], owner: int, feature: Feature, gpa: int) -> int | None:
        """The buffer is in use until it has been answered; then it holds the answer."""
        return entries.get(area(owner, feature.name), entries.get(registry(owner, "answered")))
