"""The VAPIC page of 32-bit guests: the host wrote four bytes through a mapping of one page.

V1  The guest's option ROM passes the address of its virtual task priority to the VMM, which passes it to KVM
    (KVM_SET_VAPIC_ADDR). Modelled as one exit that goes to user space.
V2  KVM maps the page of the address, and writes the four bytes through it.
V3  Mitigation ``cached-accessors``: it writes to the address, page by page.

Source: CVE-2013-6368, "KVM: x86: Convert vapic synchronization to _cached functions".
"""

from collections.abc import Mapping
from typing import ClassVar

from workbench.clayout.layout import U32, struct
from workbench.core.contracts import Feature
from workbench.core.host_state import area
from workbench.core.steps import Get, Now, Program, ToUser
from workbench.core.vcpu import Vcpu
from workbench.history.broken.call import Call
from workbench.history.broken.one_word import OneWord
from workbench.history.hostmap import map_page, mapping, store


class TaskPriority(OneWord):
    """The virtual task priority register: four bytes."""

    name = "vapic"
    title = "virtual task priority"
    payload = struct("struct vapic { __u32 tpr; };")
    size = 4
    word = U32
    source = "Linux arch/x86/kvm/lapic.c, kvm_lapic_sync_to_vapic"


class Vapic(Call):
    """KVM_SET_VAPIC_ADDR."""

    name = "vapic"
    title = "VAPIC page mapped (2013)"
    numbers: ClassVar[Mapping[str, int]] = {"vapic": 0x7E}  # the option ROM's I/O port
    mitigations_known: ClassVar[Mapping[str, str]] = {"cached-accessors": "written page by page (V3)"}

    def allows(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        yield ToUser("vapic address")  # V1
        return (yield from map_page(cpu.index, feature.name, gpa))

    def deliver(self, cpu: Vcpu, feature: Feature) -> Program:
        mapped = yield Get(mapping(cpu.index, feature.name))
        gpa = yield Get(area(cpu.index, feature.name))
        if mapped is None or gpa is None:
            return
        if "cached-accessors" in self.mitigations:
            yield from feature.update(cpu.index, gpa, (yield Now()))  # V3
        else:
            yield from store(mapped, gpa, U32.pack(1))  # V2
