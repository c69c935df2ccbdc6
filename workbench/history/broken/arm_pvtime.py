"""Arm's PVTIME: in a realm the host writes before the page is shared; and a sum that does not move with the guest.

StolenTime, RealmPvTime

V1  The VMM places each vCPU's area in memory of the guest, before it runs.
V2  The host writes from the first entry on. If the page belongs to a realm that has not shared it, the access
    faults in the host.
V3  Mitigation ``write-once-asked``: it writes only after the guest's call, before which a guest can share the page.

SummedByHost (KVM before 5.9)
V4  The host keeps the sum in a variable of its own and writes it over what stands in memory. Another host begins at 0,
    so that after a migration the guest's count jumps back (53f985584e3c, "KVM: arm64: pvtime: Fix stolen time
    accounting across migration", Andrew Jones, August 2020). Fixed: it adds to what stands in memory (features/others).

Realms have no stolen time: "[RFC PATCH 04/16] hw/arm/virt: Add support for Arm RME" (Jean-Philippe Brucker, 27 January
2023); V3 is this project's. Everything else is R1 to R9 of ``protocols/pvtime.py``.
"""

from collections.abc import Mapping
from typing import ClassVar

from workbench.clayout.layout import U64
from workbench.core.contracts import Feature
from workbench.core.host_state import area, baseline, registry
from workbench.core.steps import Moment, Note, Program, Set, Store
from workbench.core.vcpu import Vcpu
from workbench.features.others import arm
from workbench.history.properties import TRIPPED
from workbench.protocols.pvtime import PvTime


class StolenTime(arm.StolenTime):
    """Stolen time in a host that does not check whether it can write."""

    name = "stolen_time"

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        if not (yield Store(gpa + arm.STOLEN, now.run_delay, U64)):
            yield Note(TRIPPED, True)  # V2


class SummedByHost(arm.StolenTime):
    """Stolen time of which the host keeps the sum."""

    name = "stolen_time"

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        yield Set(baseline(cpu, self.name), now.run_delay)
        yield Store(gpa + arm.STOLEN, now.run_delay, U64)  # V4


class RealmPvTime(PvTime):
    """PV_TIME_ST, the areas in the guest's memory."""

    name = "arm_realm"
    title = "Arm PVTIME in a realm"
    mitigations_known: ClassVar[Mapping[str, str]] = {"write-once-asked": "no write before the guest's call (V3)"}

    def place(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        """VMM: KVM_ARM_VCPU_PVTIME_IPA (V1)."""
        yield Set(registry(cpu.index, "placed"), gpa)
        if "write-once-asked" not in self.mitigations:
            yield Set(area(cpu.index, feature.name), gpa)  # V2
