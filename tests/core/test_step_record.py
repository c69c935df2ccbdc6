"""Records tell steps apart: a schedule must not be taken again with another value, address or kind of step."""

import pytest

from workbench.clayout.layout import U32, U64, Abi, struct
from workbench.core.host_state import area, register
from workbench.core.slots import entry_slot, vcpu_slot
from workbench.core.step_record import record
from workbench.core.steps import GUEST, KERNEL, Get, Load, Set, Store

PAIR = struct("struct pair { __u32 a; __u32 b; };")
OTHER = struct("struct other { __u32 a; __u32 b; };")


def pair(layout=PAIR, **fields):
    return layout.on(Abi.X86_64)(**fields)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((GUEST, Store(8, pair(a=1))), (GUEST, Store(8, pair(a=2)))),
        ((GUEST, Store(8, pair(a=1))), (GUEST, Store(8, pair(OTHER, a=1)))),
        ((GUEST, Store(8, b"ab")), (GUEST, Store(8, b"ac"))),
        ((GUEST, Store(8, 1, U32)), (GUEST, Store(8, 1, U64))),
        ((GUEST, Load(8, U32)), (KERNEL, Load(8, U32))),
        ((GUEST, Load(8, U32)), (GUEST, Load(9, U32))),
        ((KERNEL, Get(area(0, "x"))), (KERNEL, Get(register(0, "x")))),
        ((KERNEL, Get(area(0, "x"))), (KERNEL, Set(area(0, "x"), None))),
        (vcpu_slot(0), entry_slot(0)),
        (vcpu_slot(0), vcpu_slot(1)),
    ],
)
def test_steps_that_differ_have_records_that_differ(one, other):
    assert record(one) == record(one)
    assert record(one) != record(other)
