"""Mistakes planted in the protocol per_feature, as pieces of its text or its parts' and what stands there instead."""

# ruff: noqa: E501

from tests.planted.planted import Planted

PLANTED = [
    Planted('st_enable_ignored', 'hostile-not-enabled', 1, 'kvmclock', 'F03', [
        ('gpa = SYSTEM_TIME_NEW.address_in(value)',
         'gpa = value & ~1 or None'),
    ]),
    Planted('st_page_end_off_by_one', 'hostile-ram-end', 1, 'kvmclock', 'F04', [
        ('SYSTEM_TIME_NEW.touches <= PAGE_SIZE',
         'SYSTEM_TIME_NEW.touches < PAGE_SIZE'),
    ]),
    Planted('st_page_end_too_far', 'hostile-ram-over', 1, 'kvmclock', 'F07', [
        ('SYSTEM_TIME_NEW.touches <= PAGE_SIZE',
         'SYSTEM_TIME_NEW.touches <= PAGE_SIZE + 4'),
    ]),
    Planted('st_page_check_8', 'hostile-page-crossing', 1, 'kvmclock', 'F07', [
        ('gpa % PAGE_SIZE + SYSTEM_TIME_NEW.touches <=',
         'gpa % PAGE_SIZE + 8 <='),
    ]),
    Planted('st_page_check_missing', 'hostile-page-crossing', 1, 'kvmclock', 'F07', [
        ('elif gpa % PAGE_SIZE + SYSTEM_TIME_NEW.touches <= PAGE_SIZE:',
         'elif True:'),
    ]),
    Planted('st_disable_keeps_area', 'kexec', 1, 'kvmclock', 'F01', [
        ('        if gpa is None:\n            yield Set(area(cpu.index, "kvmclock"), None)\n        elif gpa % P',
         '        if gpa is None:\n            pass\n        elif gpa % P'),
    ]),
    Planted('wc_by_cpu', 'boot', 1, 'wall_clock', 'F18', [
        ('yield Set(register(VM, WALL_CLOCK_NEW.msr), value)',
         'yield Set(register(cpu.index, WALL_CLOCK_NEW.msr), value)'),
    ]),
    Planted('wc_not_written', 'boot', 2, 'wall_clock', 'S02', [
        ('if feature is not None and value and not quietly:',
         'if False:'),
    ]),
    Planted('steal_reserved_unchecked', 'hostile-reserved-bits', 1, 'steal_time', 'F03', [
        ('if not STEAL_TIME.is_allowed(value):',
         'if False:'),
    ]),
    Planted('steal_kept_before_check', 'hostile-reserved-bits', 1, 'steal_time', 'F16', [
        ('        if not STEAL_TIME.is_allowed(value):\n            return FAULT  # R6\n        yield from self._keep(cpu, STEAL_TIME, value)',
         '        yield from self._keep(cpu, STEAL_TIME, value)\n        if not STEAL_TIME.is_allowed(value):\n            return FAULT  # R6'),
    ]),
    Planted('steal_area_not_moved', 'double-registration-moved', 1, 'steal_time', 'F01', [
        ('yield Set(area(cpu.index, "steal_time"), STEAL_TIME.address_in(value))',
         'gpa = STEAL_TIME.address_in(value)\n        if gpa is None or not (yield Get(area(cpu.index, "steal_time"))):\n            yield Set(area(cpu.index, "steal_time"), gpa)'),
    ]),
    Planted('eoi_unbacked', 'hostile-bad-base', 1, 'pv_eoi', 'F11', [
        ('elif not (yield from address_cache.point(cpu.index, "pv_eoi", gpa, PV_EOI_EN.touches)):\n            return FAULT  # R7',
         'else:\n            yield Set(area(cpu.index, "pv_eoi"), gpa)'),
    ]),
    Planted('eoi_kept_before_check', 'hostile-bad-base', 1, 'pv_eoi', 'F16', [
        ('        if gpa is None:\n            yield from address_cache.release(cpu.index, "pv_eoi")  # R22\n        elif not (yield from address_cache.point(cpu.index, "pv_eoi", gpa, PV_EOI_EN.touches)):\n            return FAULT  # R7\n        yield from self._keep(cpu, PV_EOI_EN, value)',
         '        yield from self._keep(cpu, PV_EOI_EN, value)\n        if gpa is None:\n            yield from address_cache.release(cpu.index, "pv_eoi")  # R22\n        elif not (yield from address_cache.point(cpu.index, "pv_eoi", gpa, PV_EOI_EN.touches)):\n            return FAULT  # R7'),
    ]),
    Planted('eoi_reserved_unchecked', 'hostile-reserved-bits', 1, 'pv_eoi', 'F03', [
        ('if not PV_EOI_EN.is_allowed(value):',
         'if False:'),
    ]),
    Planted('apf_bit0_enough', 'hostile-not-enabled', 1, 'async_pf', 'F03', [
        ('gpa = ASYNC_PF_EN.address_in(value)  # R9',
         'gpa = value & ~63 if value & 1 else None'),
    ]),
    Planted('apf_token_overwritten', 'boot', 1, 'async_pf', 'F22', [
        ('taken = gpa is not None and (yield Load(gpa + self._token, U32)) == 0',
         'taken = gpa is not None'),
    ]),
    Planted('apf_disable_keeps_wakeup', 'kexec', 2, "all", "table", [
        ('        if not enabled:\n            yield Set(key, None)\n        elif',
         '        if not enabled:\n            pass\n        elif'),
    ]),
    Planted('apf_no_wakeup', 'boot', 2, "all", "table", [
        ('yield Set(key, REQUESTED)  # KVM_REQ_APF_READY',
         'yield Set(key, None)'),
    ]),
    Planted('apf_int_irqchip_unchecked', 'no-lapic', 2, "all", "table", [
        ('if not ASYNC_PF_INT.is_allowed(value) or not cpu.host.irqchip:',
         'if not ASYNC_PF_INT.is_allowed(value):'),
    ]),
    Planted('apf_en_unbacked', 'hostile-bad-base', 1, 'async_pf', 'F11', [
        ('elif not (yield from address_cache.point(cpu.index, "async_pf", gpa, ASYNC_PF_EN.touches, kept=not after)):\n            return FAULT  # R10',
         'else:\n            yield Set(area(cpu.index, "async_pf"), gpa)'),
    ]),
    Planted('poll_reserved_unchecked', 'hostile-reserved-bits', 2, 'poll_control', 'F23', [
        ('if not POLL_CONTROL.is_allowed(value):',
         'if False:'),
    ]),
    Planted('init_forgets_eoi', 'init-no-reregister', 1, 'pv_eoi', 'F03', [
        ('for feature in ("kvmclock", "async_pf", "pv_eoi", "steal_time"):  # R16',
         'for feature in ("kvmclock", "async_pf", "steal_time"):  # R16'),
    ]),
    Planted('init_forgets_clock', 'init-no-reregister', 1, 'kvmclock', 'F03', [
        ('for feature in ("kvmclock", "async_pf", "pv_eoi", "steal_time"):  # R16',
         'for feature in ("async_pf", "pv_eoi", "steal_time"):  # R16'),
    ]),
    Planted('init_area_stays', 'init-no-reregister', 1, 'steal_time', 'F03', [
        ('            if self.register_of[feature].in_cache:\n                yield from address_cache.release(cpu.index, feature)\n            else:\n                yield Set(area(cpu.index, feature), None)\n',
         ''),
    ]),
    Planted('init_drops_wall_clock', 'init', 2, 'wall_clock', 'F02', [
        ('yield Set(register(cpu.index, ASYNC_PF_INT.msr), None)\n        yield Set(pending',
         "yield Set(register(VM, WALL_CLOCK_NEW.msr), None)\n        yield Set(area(VM, 'wall_clock'), None)\n        yield Set(register(cpu.index, ASYNC_PF_INT.msr), None)\n        yield Set(pending"),
    ]),
    Planted('init_keeps_apf_int', 'init-no-reregister', 2, "all", "table", [
        ('        yield Set(register(cpu.index, ASYNC_PF_INT.msr), None)\n        yield Set(pending',
         '        yield Set(pending'),
    ]),
    Planted('init_of_cpu0', 'init', 2, 'steal_time', 'F02', [
        ('            yield Set(register(cpu.index, self.register_of[feature].msr), None)\n            if self.register_of[feature].in_cache:\n                yield from address_cache.release(cpu.index, feature)\n            else:\n                yield Set(area(cpu.index, feature), None)\n',
         '            yield Set(register(0, self.register_of[feature].msr), None)\n            if self.register_of[feature].in_cache:\n                yield from address_cache.release(0, feature)\n            else:\n                yield Set(area(0, feature), None)\n'),
    ]),
    Planted('restore_en_before_int', 'migrate-damaged', 2, "all", "table", [
        ('in (*cpu.host.vmm.order, *',
         'in (*cpu.host.vmm.order[::-1], *'),
    ]),
    Planted('save_only_cpu0', 'migrate', 2, 'steal_time', 'F02', [
        ('for cpu in cpus:\n            own: tuple[Any, ...] = ()',
         'for cpu in cpus[:1]:\n            own: tuple[Any, ...] = ()'),
    ]),
    Planted('save_not_last', 'migrate', 2, 'steal_time', 'F02', [
        ('for cpu in cpus:\n            own: tuple[Any, ...] = ()',
         'for cpu in cpus[:-1] or cpus:\n            own: tuple[Any, ...] = ()'),
    ]),
    Planted('restore_to_cpu0', 'migrate', 2, 'steal_time', 'F02', [
        ('return (yield from self.on_wrmsr(cpus[index], msr, value, host_initiated=True)) is HANDLED',
         'return (yield from self.on_wrmsr(cpus[0], msr, value, host_initiated=True)) is HANDLED'),
    ]),
    Planted('restore_stops_vm', 'migrate-damaged', 2, 'async_pf', 'F09', [
        ('ended |= {item[0]}',
         'ended |= {cpu.index for cpu in cpus}'),
    ]),
    Planted('restore_drops_bit0', 'migrate', 1, 'steal_time', 'F02', [
        ('return (yield from self.on_wrmsr(cpus[index], msr, value, host_initiated=True)) is HANDLED',
         'return (yield from self.on_wrmsr(cpus[index], msr, value & ~1, host_initiated=True)) is HANDLED'),
    ]),
    Planted('save_forgets_poll', 'migrate-polling', 2, 'poll_control', 'F04', [
        ('in (*cpu.host.vmm.order, *',
         'in (*cpu.host.vmm.order[:-1], *'),
    ]),
    Planted('save_forgets_int', 'migrate', 1, 'async_pf', 'F09', [
        ('in (*cpu.host.vmm.order, *',
         'in (*cpu.host.vmm.order[:2], *cpu.host.vmm.order[3:], *'),
    ]),
    Planted('rdmsr_zero_if_absent', 'migrate', 2, "all", "table", [
        ('return read.initial if value is None else value',
         'return 0 if value is None else value'),
    ]),
    Planted('names_apart', 'migrate', 1, 'wall_clock,steal_time', 'F02', [
        ('return register(VM if one.cell in self._of_vm else cpu.index, one.cell)',
         'return register(VM if one.cell in self._of_vm else cpu.index, one.msr)'),
    ]),
    Planted('unregister_nothing', 'kexec', 1, 'steal_time', 'F01', [
        ('if asked is not WALL_CLOCK_NEW:  # R20',
         'if asked is not WALL_CLOCK_NEW and False:  # R20'),
    ]),
    Planted('guest_no_enable', 'boot', 1, 'steal_time', 'F04', [
        ('value = gpa | asked.enable  # R3:',
         'value = gpa  # R3:'),
    ]),
    Planted('restore_twice', 'migrate', 2, "all", "table", [
        ('return (yield from self.on_wrmsr(cpus[index], msr, value, host_initiated=True)) is HANDLED',
         'yield from self.on_wrmsr(cpus[index], msr, value, host_initiated=True)\n        return (yield from self.on_wrmsr(cpus[index], msr, value, host_initiated=True)) is HANDLED'),
    ]),
    Planted('restore_quiet_drops', 'migrate', 1, 'wall_clock', 'F02', [
        ('yield Set(area(VM, "wall_clock"), WALL_CLOCK_NEW.address_in(value))\n        feature',
         'if not host_initiated:\n            yield Set(area(VM, "wall_clock"), WALL_CLOCK_NEW.address_in(value))\n        feature'),
    ]),
    Planted('crossing_revokes_too_much', 'double-registration-crossing', 1, 'kvmclock', 'F01', [
        ('elif "revoke-on-crossing" in self.mitigations:',
         'elif False:'),
    ], ('revoke-on-crossing',)),
    Planted('quiet_restore_guest_too', 'boot', 2, 'wall_clock', 'S02', [
        ('quietly = host_initiated and "quiet',
         'quietly = "quiet'),
    ], ('quiet-restore',)),
    Planted('init_drops_poll', 'haltpoll-init', 1, 'poll_control', 'F04', [
        ('yield Set(register(cpu.index, ASYNC_PF_INT.msr), None)\n        yield Set(pending',
         'yield Set(register(cpu.index, POLL_CONTROL.msr), None)\n        yield Set(register(cpu.index, ASYNC_PF_INT.msr), None)\n        yield Set(pending'),
    ]),
    Planted('commit_after_twice', 'double-registration-refused', 1, 'async_pf', 'F23', [
        ('        if not after:\n            yield from self._keep',
         '        if True:\n            yield from self._keep'),
    ], ('commit-after-check',)),
    Planted('apf_ack_ignored', 'page-ready', 1, 'async_pf', 'F20', [
        ('if value & 1 and "async_pf" in self.by_name and (yield Get(pending(cpu.index, "async_pf"))):',
         'if False:'),
    ]),
    Planted('wrmsr_cpuid_unchecked', 'read-back-hidden', 1, 'steal_time', 'F03', [
        ('        if not cpu.may_use(written.cpuid_bit):  # R15\n            return HANDLED if host_initiated and value == 0 else UNKNOWN\n',
         ''),
    ]),
    Planted('host_zero_refused', 'migrate-clock-hidden', 1, 'steal_time', 'F02', [
        ('return HANDLED if host_initiated and value == 0 else UNKNOWN',
         'return UNKNOWN'),
    ]),
    Planted('guest_vmexit_ungated', 'no-vmexit-delivery', 1, 'async_pf', 'F04', [
        ('value |= APF_DELIVER_AS_VMEXIT if 10 in cpu.cpuid else 0',
         'value |= APF_DELIVER_AS_VMEXIT'),
    ]),
    Planted('apf_gates_unchecked', 'hostile-hidden-bits', 1, 'async_pf', 'F03', [
        ('            if value & bit and not cpu.may_use(needed):\n                return FAULT  # R15',
         '            pass'),
    ]),
    Planted('apf_en_zero_refused_without_lapic', 'migrate-no-lapic-hidden', 1, 'steal_time', 'F02', [
        ('return FAULT if value else HANDLED  # R8',
         'return HANDLED if value else FAULT  # R8'),
    ]),
    Planted('apf_int_unchecked', 'migrate-no-lapic', 1, 'async_pf', 'F09', [
        ('        if not ASYNC_PF_INT.is_allowed(value) or not cpu.host.irqchip:\n            return FAULT  # R11\n',
         ''),
    ]),
    Planted('st_not_pending', 'migrate', 1, 'kvmclock', 'F20', [
        ('            yield Set(pending(cpu.index, "kvmclock"), True)\n            if not host_initiated:',
         '            if not host_initiated:\n                yield Set(pending(cpu.index, "kvmclock"), True)'),
    ]),
    Planted('st_never_written', 'boot', 1, 'kvmclock', 'F20', [
        ('        if gpa is not None:\n            yield Set(pending(cpu.index, "kvmclock"), True)\n            if not host_initiated:',
         '        if gpa is not None:\n            if False:'),
    ]),
    Planted('wake_up_in_no_log', 'migrate-dirty-log', 1, 'async_pf', 'F28', [
        ('import AllVcpus, Get, Load, Program, Rdmsr, Set, Store, Wrmsr',
         'import AllVcpus, Get, Load, Program, Rdmsr, Set, StoreMapped, Wrmsr'),
        ('yield Store(gpa + self._token, WAKE_ALL, U32)',
         'yield StoreMapped(gpa + self._token, WAKE_ALL, U32)'),
    ]),
    Planted('restore_sets_bit_1', 'migrate@qemu', 1, 'steal_time', 'F29', [
        ('return (yield from self.on_wrmsr(cpus[index], msr, value, host_initiated=True)) is HANDLED',
         'return (yield from self.on_wrmsr(cpus[index], msr, value | 2, host_initiated=True)) is HANDLED'),
    ]),
    Planted('restore_of_what_is_hidden', 'migrate-clock-hidden@qemu', 1, 'kvmclock', 'F29', [
        ('tuple(item for item in saved if cpus[item[0]].is_carried(self.registers[item[1]]))',
         'saved'),
    ]),
    Planted('restore_refusals_uncounted', 'migrate-no-lapic@qemu', 1, 'async_pf', 'F02', [
        ('        refused += 1\n',
         ''),
    ]),
    Planted('restore_skips_nothing', 'migrate-clock-hidden@cloud-hypervisor', 1, 'kvmclock,steal_time', 'F02', [
        ('if not vmm.skips:',
         'if True:'),
    ]),
]
