"""Mistakes planted in the protocol generic, as pieces of its text or its parts' and what stands there instead."""

# ruff: noqa: E501

from tests.planted.planted import Planted

PLANTED = [
    Planted('size_unchecked', 'hostile-size-short', 1, 'wall_clock,steal_time', 'F07', [
        ('if feature is not None and size < feature.size:',
         'if False:'),
    ]),
    Planted('size_off_by_one', 'hostile-size-short', 1, 'steal_time', 'F07', [
        ('size < feature.size:\n            return EINVAL',
         'size < feature.size - 1:\n            return EINVAL'),
    ]),
    Planted('size_exact_refused', 'boot', 1, 'steal_time', 'S01', [
        ('size < feature.size:\n            return EINVAL',
         'size <= feature.size:\n            return EINVAL'),
    ]),
    Planted('backed_one_byte', 'hostile-ram-over', 1, 'wall_clock', 'F07', [
        ('(yield Backed(base, size))',
         '(yield Backed(base, 1))'),
    ]),
    Planted('backed_one_more', 'hostile-ram-end', 1, 'steal_time', 'S01', [
        ('(yield Backed(base, size))',
         '(yield Backed(base, size + 1))'),
    ]),
    Planted('backed_missing', 'hostile-bad-base', 1, 'steal_time', 'F11', [
        ('if is_checked and (base + size > 1 << 64 or not (yield Backed(base, size))):',
         'if is_checked and base + size > 1 << 64:'),
    ]),
    Planted('wrap_masked', 'hostile-wrap', 1, 'steal_time', 'F11', [
        ('if is_checked and (base + size > 1 << 64 or not (yield Backed(base, size))):',
         'if is_checked and not (yield Backed((base + size - 1) % (1 << 64), 1)):'),
    ]),
    Planted('result_before_apply', 'boot', 1, 'steal_time', 'F24', [
        ('        if descriptor is not None and result == OK:\n            result = yield from self._apply(cpu, descriptor)  # R4\n        yield Store(value + RESULT, self.success if result == OK else result, U8)',
         '        yield Store(value + RESULT, self.success if result == OK else result, U8)\n        if descriptor is not None and result == OK:\n            result = yield from self._apply(cpu, descriptor)  # R4'),
    ]),
    Planted('result_always_ok', 'hostile-bad-base', 1, 'steal_time', 'F04', [
        ('yield Store(value + RESULT, self.success if result == OK else result, U8)',
         'yield Store(value + RESULT, self.success, U8)'),
    ]),
    Planted('result_only_if_ok', 'hostile-bad-base', 1, 'steal_time', 'F04', [
        ('        yield Store(value + RESULT, self.success if result == OK else result, U8)\n        return HANDLED',
         '        if result == OK:\n            yield Store(value + RESULT, self.success, U8)\n        return HANDLED'),
    ]),
    Planted('result_not_written_pending', 'boot', 1, 'steal_time', 'F03', [
        ('        yield Store(value + RESULT, self.success if result == OK else result, U8)\n        return HANDLED',
         '        return HANDLED'),
    ], ('pending-result',)),
    Planted('unreadable_ignored', 'i386-edge', 1, 'steal_time', 'F04', [
        ('return HANDLED if "unreadable-ignored" in self.mitigations else FAULT  # R11',
         'return HANDLED'),
    ]),
    Planted('user_ok_if_refused', 'hostile-endless', 1, 'steal_time', 'F08', [
        ('return ENOSPC\n',
         'return OK\n'),
    ], ('bound-registry',)),
    Planted('user_refuses_ok', 'hostile-bad-base', 1, 'watchdog', 'F04', [
        ('            yield ToUser("register_mem_area")  # R6\n',
         '            yield ToUser("register_mem_area")\n            yield Store(value + RESULT, result if result == OK else OK, U8)\n            if result != OK:\n                return HANDLED\n'),
    ]),
    Planted('owner_cpu0', 'boot', 2, 'steal_time', 'F04', [
        ('else cpu.index\n\n    def _overlaps',
         'else 0\n\n    def _overlaps'),
    ]),
    Planted('vm_by_cpu', 'boot', 1, 'wall_clock', 'F04', [
        ('return VM if feature is not None and feature.scope == "vm" else cpu.index',
         'return cpu.index'),
    ]),
    Planted('revoke_leaves_area', 'kexec', 1, 'steal_time', 'F01', [
        ('            yield Set(area(owner, feature.name), descriptor.base if entry else None)',
         '            if entry:\n                yield Set(area(owner, feature.name), descriptor.base)'),
    ]),
    Planted('revoke_leaves_entry', 'cpu-unplug', 2, 'steal_time', 'F18', [
        ('        yield Set(registry(owner, descriptor.type), entry)  # R13',
         '        if entry:\n            yield Set(registry(owner, descriptor.type), entry)'),
    ]),
    Planted('revoke_leaves_type', 'cpu-unplug', 2, "all", "table", [
        ('kinds = tuple(sorted({*held, descriptor.type} if entry else {*held} - {descriptor.type}))',
         'kinds = tuple(sorted({*held, descriptor.type}))'),
    ]),
    Planted('held_not_replaced', 'double-registration-moved', 1, 'steal_time', 'F01', [
        ('        yield Set(registry(owner, "types"), kinds or None)',
         '        if entry and descriptor.type in held:\n            return OK\n        yield Set(registry(owner, "types"), kinds or None)'),
    ]),
    Planted('area_not_moved', 'double-registration-moved', 1, 'steal_time', 'F01', [
        ('            yield Set(area(owner, feature.name), descriptor.base if entry else None)',
         '            if not entry or descriptor.type not in held:\n                yield Set(area(owner, feature.name), descriptor.base if entry else None)'),
    ]),
    Planted('no_touser', 'boot', 2, "all", "table", [
        ('            yield ToUser("register_mem_area")  # R6',
         '            pass'),
    ]),
    Planted('bound_off_by_one', 'hostile-endless', 1, 'steal_time', 'F08', [
        ('len(held) >= REGISTRY_LIMIT',
         'len(held) > REGISTRY_LIMIT'),
    ], ('bound-registry',)),
    Planted('overlap_adjacent', 'boot', 2, "all", "table", [
        ('base < wanted.base + wanted.size and wanted.base < base + size',
         'base <= wanted.base + wanted.size and wanted.base <= base + size'),
    ], ('refuse-overlap',)),
    Planted('save_forgets_vm', 'migrate', 1, 'wall_clock', 'F02', [
        ('for owner in (VM, *(cpu.index for cpu in cpus)):\n                held',
         'for owner in (cpu.index for cpu in cpus):\n                held'),
    ], ('carry-registry',)),
    Planted('save_only_cpu0', 'migrate', 2, 'steal_time', 'F02', [
        ('for owner in (VM, *(cpu.index for cpu in cpus)):\n                held',
         'for owner in (VM, 0):\n                held'),
    ], ('carry-registry',)),
    Planted('restore_to_cpu0', 'migrate', 2, 'steal_time', 'F02', [
        ('cpu = cpus[0 if owner == VM else owner]',
         'cpu = cpus[0]'),
    ], ('carry-registry',)),
    Planted('restore_size_of_feature', 'migrate', 1, 'wall_clock', 'F09', [
        ('descriptor = KVM_MEMORY_AREA(base=base, size=size, type=kind)',
         'descriptor = KVM_MEMORY_AREA(base=base, size=64, type=kind)'),
    ], ('carry-registry',)),
    Planted('restore_first_only', 'migrate', 1, 'wall_clock,steal_time', 'F02', [
        ('written(cpus, saved, self._write_back)',
         'written(cpus, saved[:1], self._write_back)'),
    ], ('carry-registry',)),
    Planted('restore_not_served', 'migrate-damaged', 2, "all", "table", [
        ('        right = "validate-restore" not in self.mitigations or (yield',
         "        yield Set(registry(owner, kind), (base, size))\n        yield Set(registry(owner, 'types'), tuple(sorted({*((yield Get(registry(owner, 'types'))) or ()), kind})))\n        right = (yield"),
    ], ('carry-registry', 'validate-restore')),
    Planted('revoke_vm_own_cpu', 'crash', 2, 'steal_time', 'F03', [
        ('yield from self._forget((VM, *(yield AllVcpus())))',
         'yield from self._forget((VM, cpu.index))'),
    ], ('revoke-vm',)),
    Planted('revoke_all_ap_drops_vm', 'boot', 2, 'wall_clock', 'F02', [
        ('(cpu.index, VM) if cpu.index == 0 else (cpu.index,)',
         '(cpu.index, VM)'),
    ], ('revoke-all',)),
    Planted('init_ap_drops_vm', 'init', 2, 'wall_clock', 'F02', [
        ('(cpu.index, VM) if cpu.index == 0 else (cpu.index,)',
         '(cpu.index, VM)'),
    ], ('init-revokes',)),
    Planted('init_all_cpus', 'init', 2, 'steal_time', 'F02', [
        ('        if "init-revokes" in self.mitigations:  # R14\n            yield from self._forget_own(cpu)',
         '        if "init-revokes" in self.mitigations:  # R14\n            yield from self._forget((VM, *(yield AllVcpus())))'),
    ], ('init-revokes',)),
    Planted('no_deliver', 'boot', 1, 'wall_clock', 'S02', [
        ('if entry and feature.update_when in ("request", "registration") and not quietly:',
         'if False:'),
    ]),
    Planted('guest_ignores_result', 'hostile-bad-base', 1, 'steal_time', 'F04', [
        ('return ACCEPTED if result == self.success else REFUSED',
         'return ACCEPTED'),
    ]),
    Planted('guest_ignores_fault', 'encrypted-unshared', 1, 'steal_time', 'F04', [
        ('if outcome is FAULT:\n            return REFUSED',
         'if False:\n            return REFUSED'),
    ]),
    Planted('guest_result_offset', 'hostile-bad-base', 1, 'steal_time', 'F04', [
        ('result = yield Load(cpu.descriptor + RESULT, U8)',
         'result = yield Load(cpu.descriptor + RESULT + 1, U8)'),
    ]),
    Planted('copy_twice', 'descriptor-race', 2, 'steal_time', 'F05', [
        ('if "copy-once" not in self.mitigations:',
         'if True:'),
    ], ('copy-once',)),
    Planted('default_type', 'hostile-unknown-type', 1, 'steal_time', 'F03', [
        ('feature = self.by_type.get(descriptor.type)\n        owner',
         'feature = self.by_type.get(descriptor.type, self.features[0])\n        owner'),
    ]),
    Planted('area_of_cpu0', 'boot', 2, 'steal_time', 'F04', [
        ('yield Set(area(owner, feature.name), descriptor.base if entry else None)',
         'yield Set(area(0, feature.name), descriptor.base if entry else None)'),
    ]),
    Planted('not_processed_ok', 'ignore-msrs', 1, 'steal_time', 'F04', [
        ('result=PENDING).pack()',
         'result=OK).pack()'),
    ], ('pending-result',)),
    Planted('revoke_refused_size', 'kexec', 1, 'steal_time', 'F01', [
        ('        if size == 0:\n            return EINVAL if "never-revoked" in self.mitigations else OK  # R14\n',
         ''),
    ]),
    Planted('save_skips_user', 'migrate', 1, 'watchdog', 'F02', [
        ('            if entry is not None:\n                found += ((kind, *entry),)',
         '            if entry is not None and kind != 8:\n                found += ((kind, *entry),)'),
    ], ('carry-registry',)),
    Planted('restore_appends', 'migrate', 1, 'steal_time', 'F09', [
        ('            yield from self._apply(cpu, descriptor, quietly="quiet-restore" in self.mitigations)',
         '            yield from self._apply(cpu, descriptor, quietly="quiet-restore" in self.mitigations)\n            held = (yield Get(registry(owner, \'types\'))) or ()\n            yield Set(registry(owner, \'types\'), (*held, kind))'),
    ], ('carry-registry',)),
    Planted('backed_size_minus_1', 'hostile-ram-over', 1, 'steal_time', 'F07', [
        ('(yield Backed(base, size))',
         '(yield Backed(base, size - 1))'),
    ]),
    Planted('overlap_vm_forgotten', 'overlap', 1, 'wall_clock,steal_time', 'F17', [
        ('for owner in (cpu.index, VM):\n            for kind, base',
         'for owner in (cpu.index,):\n            for kind, base'),
    ], ('refuse-overlap',)),
    Planted('forget_area_stays', 'kexec-to-silent', 1, 'steal_time', 'F03', [
        ('                if kind in self.by_type:\n                    yield Set(area',
         '                if False:\n                    yield Set(area'),
    ], ('revoke-all',)),
    Planted('forget_first_only', 'kexec-to-silent', 1, 'kvmclock,async_pf', 'F03', [
        ('            for kind in held:\n                yield Set(registry(owner, kind), None)',
         '            for kind in held[:1]:\n                yield Set(registry(owner, kind), None)'),
    ], ('revoke-all',)),
    Planted('revoke_vm_not_vm', 'kexec-to-silent', 1, 'wall_clock', 'F03', [
        ('yield from self._forget((VM, *(yield AllVcpus())))',
         'yield from self._forget((yield AllVcpus()))'),
    ], ('revoke-vm',)),
    Planted('revoke_on_refusal', 'double-registration-refused', 1, 'steal_time', 'F23', [
        ('        result = yield from self._check(cpu, descriptor)\n        feature',
         "        result = yield from self._check(cpu, descriptor)\n        if result != OK:\n            yield Set(area(cpu.index, 'steal_time'), None)\n        feature"),
    ]),
    Planted('restore_stops', 'migrate-damaged', 1, 'wall_clock,steal_time,kvmclock', 'F02', [
        ('if vmm.ends(refused):',
         'if True:'),
    ], ('carry-registry', 'validate-restore')),
    Planted('quiet_forgets_request', 'migrate', 1, 'kvmclock', 'F20', [
        ('if entry and feature.update_when == "request":',
         'if entry and feature.update_when == "request" and not quietly:'),
    ], ('carry-registry', 'quiet-restore')),
    Planted('result_in_no_log', 'migrate-dirty-log', 1, 'wall_clock', 'F28', [
        ('Quiesce, Set, Store, ToUser, Wrmsr',
         'Quiesce, Set, Store, StoreMapped, ToUser, Wrmsr'),
        ('yield Store(value + RESULT, self.success',
         'yield StoreMapped(value + RESULT, self.success'),
    ], ('pending-result',)),
    Planted('restore_one_byte_short', 'migrate@firecracker', 1, 'steal_time', 'F29', [
        ('descriptor = KVM_MEMORY_AREA(base=base, size=size, type=kind)',
         'descriptor = KVM_MEMORY_AREA(base=base, size=size - 1, type=kind)'),
    ], ('carry-registry', 'validate-restore')),
    Planted('vmm_forgets_its_own', 'host-live-update', 1, 'watchdog', 'F02', [
        ('for entry in held if self._by_user(entry[0]))',
         'for entry in held if not self._by_user(entry[0]))'),
    ]),
    Planted('vmm_forgets_the_vms', 'host-live-update', 1, 'watchdog', 'F02', [
        ('        kept: tuple[Any, ...] = ()\n        for owner in (VM, *(cpu.index for cpu in cpus)):',
         '        kept: tuple[Any, ...] = ()\n        for owner in (cpu.index for cpu in cpus):'),
    ]),
]
