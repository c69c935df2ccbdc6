"""Designs with one mistake each: what the properties of content must see, and the shipped designs do not do."""

from workbench.core.kvm_registers import STEAL_TIME, SYSTEM_TIME_NEW
from workbench.design import (
    HANDLED,
    U8,
    U32,
    U64,
    Feature,
    Generic,
    Get,
    Load,
    Now,
    PerFeature,
    Set,
    Store,
    area,
    register,
    struct,
)
from workbench.features.async_pf import TOKEN_OFFSET
from workbench.protocols.generic import RESULT


class NoPageCheck(PerFeature):
    """SYSTEM_TIME maps an area that crosses a page, as before the fix of CVE-2013-1796."""

    name = "no_page_check"

    def _system_time(self, cpu, value, host_initiated):
        outcome = yield from super()._system_time(cpu, value, host_initiated)
        yield Set(area(cpu.index, "kvmclock"), SYSTEM_TIME_NEW.address_in(value))
        return outcome

    _WRITE = {**PerFeature._WRITE, SYSTEM_TIME_NEW.msr: _system_time}  # noqa: RUF012


class ReservedAccepted(PerFeature):
    """STEAL_TIME does not look at the bits that must be 0."""

    name = "reserved_accepted"

    def _steal_time(self, cpu, value, host_initiated):
        return (yield from super()._steal_time(cpu, value & ~STEAL_TIME.reserved, host_initiated))

    _WRITE = {**PerFeature._WRITE, STEAL_TIME.msr: _steal_time}  # noqa: RUF012


class EnableIgnored(PerFeature):
    """STEAL_TIME uses an address whose enable bit is 0."""

    name = "enable_ignored"

    def _steal_time(self, cpu, value, host_initiated):
        return (yield from super()._steal_time(cpu, value | (value and STEAL_TIME.enable), host_initiated))

    _WRITE = {**PerFeature._WRITE, STEAL_TIME.msr: _steal_time}  # noqa: RUF012


class RegisterLeftByInit(PerFeature):
    """INIT drops the area of steal time and leaves the register as it was."""

    name = "register_left_by_init"

    def on_init(self, cpu):
        kept = yield Get(register(cpu.index, STEAL_TIME.msr))
        yield from super().on_init(cpu)
        yield Set(register(cpu.index, STEAL_TIME.msr), kept)


class WritesFirst(PerFeature):
    """No mistake: the handler writes the clock, and serves its area only then."""

    name = "writes_first"

    def _system_time(self, cpu, value, host_initiated):
        gpa = SYSTEM_TIME_NEW.address_in(value)
        if gpa is not None:
            yield from self.by_name["kvmclock"].update(cpu.index, gpa, (yield Now()))
        yield Set(register(cpu.index, SYSTEM_TIME_NEW.msr), value)
        yield Set(area(cpu.index, "kvmclock"), gpa)
        return HANDLED

    _WRITE = {**PerFeature._WRITE, SYSTEM_TIME_NEW.msr: _system_time}  # noqa: RUF012


class NeverWritten(PerFeature):
    """The area of the clock is served, and no update of it is requested."""

    name = "never_written"

    def _system_time(self, cpu, value, host_initiated):
        yield Set(register(cpu.index, SYSTEM_TIME_NEW.msr), value)
        yield Set(area(cpu.index, "kvmclock"), SYSTEM_TIME_NEW.address_in(value))
        return HANDLED

    _WRITE = {**PerFeature._WRITE, SYSTEM_TIME_NEW.msr: _system_time}  # noqa: RUF012


class RequestNotCleared(PerFeature):
    """The clock is written, and the request for it stays."""

    name = "request_not_cleared"

    def deliver(self, cpu, feature):
        gpa = yield Get(area(cpu.index, feature.name))
        if gpa is not None:
            yield from feature.update(cpu.index, gpa, (yield Now()))


class TokenOverwritten(PerFeature):
    """A page becomes ready while the guest has not taken the last token."""

    name = "token_overwritten"

    def deliver(self, cpu, feature):
        gpa = yield Get(area(cpu.index, feature.name))
        if feature.name != "async_pf" or gpa is None:
            yield from super().deliver(cpu, feature)
            return
        last = yield Load(gpa + TOKEN_OFFSET, U32)
        if last is not None:
            yield Store(gpa + TOKEN_OFFSET, last % 2 + 1, U32)


class AnswersFirst(Generic):
    """The result is written before the area is in the registry."""

    name = "answers_first"

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        yield Store(value + RESULT, 0, U8)
        return (yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated))


class OddForEver(Feature):
    """A clock of which the host makes the version odd and never even again."""

    name = "odd_for_ever"
    title = "version stays odd"
    payload = struct("struct odd { __u64 value; };")
    size = align = 8
    update_when = "entry"
    linux_boot = linux_teardown = 0

    def prepare(self, gpa):
        yield Store(gpa, 0, U64)

    def update(self, cpu, gpa, now):
        yield Store(gpa, 1, U64)

    def read(self, gpa):
        value = yield Load(gpa, U64)
        return None if value % 2 else value


class LeavesOutSteal(PerFeature):
    """The migration stream has no STEAL_TIME."""

    name = "leaves_out_steal"

    def save(self, cpus):
        saved = yield from super().save(cpus)
        return tuple(item for item in saved if item[1] != STEAL_TIME.msr)
