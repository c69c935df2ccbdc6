"""Stolen time as arm64 kept it before 5.9: the host has the sum in a variable of its own, and writes it.

Source: Linux 53f985584e3c, "KVM: arm64: pvtime: Fix stolen time accounting across migration".
"""

from workbench.design import U64, Get, Now, PerFeature, Store, area


class CachedSum(PerFeature):
    """The sum is the host's: after a migration it begins at 0 again, whatever stands in the guest's memory."""

    name = "cached_sum"
    title = "stolen time summed by the host"
    mitigations_known = {"add": "the host adds to what stands in memory, as since 5.9"}  # noqa: RUF012

    def deliver(self, cpu, feature):
        if feature.name != "steal_time" or "add" in self.mitigations:
            yield from super().deliver(cpu, feature)
            return
        gpa = yield Get(area(cpu.index, feature.name))
        if gpa is not None:
            yield Store(gpa, (yield Now()).run_delay, U64)
