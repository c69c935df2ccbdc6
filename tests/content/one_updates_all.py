"""A clock that only the entry of one vCPU brings up to date, as the Hyper-V TSC page of KVM was before 5.12.

Source: Linux e880c6ea55b9, "KVM: x86: hyper-v: Prevent using not-yet-updated TSC page by secondary CPUs".
"""

from workbench.design import PerFeature


class OneUpdatesAll(PerFeature):
    """Updates are made when vCPU 0 enters; the other vCPUs read what was there before."""

    name = "one_updates_all"
    title = "updated by vCPU 0 only"
    mitigations_known = {"each": "each vCPU brings its own clock up to date"}  # noqa: RUF012

    def on_entry(self, cpu):
        if cpu.index == 0 or "each" in self.mitigations:
            yield from super().on_entry(cpu)
