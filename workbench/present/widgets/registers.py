"""A panel that writes a value to one of KVM's registers and shows the outcome, the register and the host's update."""

from __future__ import annotations

import ipywidgets as W  # noqa: N812

from workbench.core.vcpu import Host
from workbench.errors import unknown
from workbench.present.text.register_writes import REGISTERS, circumstances, number
from workbench.present.web import View, register_writes
from workbench.present.widgets.panel import Panel

STYLE = {"description_width": "110px"}


class RegisterPanel(Panel):
    """One write to a fresh machine. ``value`` is a number as C writes it: 0x1001 or 4097."""

    def __init__(
        self, register: str = "SYSTEM_TIME_NEW", value: str = "0x1001", irqchip: bool = True,
        enforce_cpuid: bool = False, cpuid_bits: str = "",
    ) -> None:  # fmt: skip
        if register not in REGISTERS:
            raise unknown("register", register, REGISTERS)
        self.controls = {
            "register": W.Dropdown(options=list(REGISTERS), value=register, description="register", style=STYLE),
            "value": W.Text(value, description="value", continuous_update=False, style=STYLE),
            "irqchip": W.Checkbox(irqchip, description="LAPIC in the kernel", indent=False),
            "enforce_cpuid": W.Checkbox(enforce_cpuid, description="enforce CPUID", indent=False),
            "cpuid_bits": W.Text(cpuid_bits, description="CPUID bits", placeholder="all that KVM supports; or 3,4,5",
                                 continuous_update=False, style=STYLE),
        }  # fmt: skip
        which, written, *switches, bits = self.controls.values()
        self.start(W.HBox([which, written]), W.HBox([bits, *switches]))

    def view(self) -> View:
        """Return what comes of the write that the controls describe."""
        asked = {name: control.value for name, control in self.controls.items()}
        bits = [bit for bit in asked["cpuid_bits"].split(",") if asked["cpuid_bits"].strip()]
        value = number(asked["value"], "a register's value", 1 << 64)
        around = circumstances(Host(irqchip=asked["irqchip"]), bits, enforced=asked["enforce_cpuid"])
        return register_writes([(asked["register"], value)], **around)
