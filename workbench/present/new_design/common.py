"""The parts of a new design's file that every style has; ``$word`` is replaced."""

OPENING = '''\
"""$opening

$clauses
R3  An area must be RAM that the host can write, aligned as the feature's ABI says; otherwise it is refused, and nothing
    changes.
R4  The host keeps each address in its registry, by owner and type; a migration carries it ($interface).
R5  INIT revokes the areas of its vCPU, not those of the VM.
R6  A new kernel revokes nothing, so areas of the kernel before it stay registered. Mitigation ``revoke-all``: a CPU
    that comes up first revokes every type.

Clauses are numbered so that code, traces and mail can cite them: change them together with the code.
"""

from workbench.design import (
$imports
)

#: The types of areas, by number: a place in this tuple. Append only; the numbers are ABI.
TYPES = ("kvmclock", "wall_clock", "async_pf", "pv_eoi", "steal_time", "watchdog"$own_type)
$constants
$own_feature

class $Class(Protocol):
    """$opening"""

    name = "$name"  # in tables and on the command line
    title = "$title"
$claims
    mitigations_known = {"revoke-all": "a CPU that comes up first revokes every type (R6)"}

    def supports(self, feature):
        """Asked for each feature before a run: can this design express it? Return True or False."""
        return feature.name in TYPES

    # -- the guest's side: yields Load, Store, $guest_steps ---

'''

REVOKE = '''
    def revoke_all(self, cpu):
        """Run by each CPU that comes up, before it registers anything. Return nothing."""
        if "revoke-all" in self.mitigations:  # R6
            for feature in self.features:
                if self.supports(feature) and (feature.scope == "vcpu" or cpu.index == 0):
                    yield from self.unregister(cpu, feature, 0)

    # -- the host's side: yields Load, Store, Get, Set, Backed, ToUser, Now -------------------------------

'''

HOST = '''
    def serve(self, cpu, number, gpa):
        """Called by the handlers above: serve a type at ``gpa`` from now on (None: no longer). Return if it does."""
        feature = self.by_name.get(TYPES[number]) if number < len(TYPES) else None
        if feature is None:
            return False
        if gpa is not None and (gpa % feature.align or not (yield Backed(gpa, feature.size))):
            return False  # R3
        yield from self.keep(cpu, number, gpa)
        if gpa is not None and feature.update_when in ("request", "registration"):
            yield from self.deliver(cpu, feature)
        return True

    def keep(self, cpu, number, gpa):
        """Called by ``serve`` and ``restore``: enter an address. ``area`` is where the host writes, ``registry`` what
        it must remember; only the second is state of a migration.
        """
        feature = self.by_name[TYPES[number]]
        owner = VM if feature.scope == "vm" else cpu.index
        yield Set(registry(owner, number), gpa)  # R4
        yield Set(area(owner, feature.name), gpa)
        if feature.update_when == "request":  # the payload is due at the vCPU's next entry
            yield Set(pending(cpu.index, feature.name), True if gpa is not None else None)

    def on_init(self, cpu):
        """Called when the vCPU receives INIT. Return nothing."""
        for number, name in enumerate(TYPES):
            feature = self.by_name.get(name)
            if feature is not None and feature.scope == "vcpu":  # R5
                yield from self.keep(cpu, number, None)
$init
    # on_entry is inherited: at each entry it writes the payloads that are due, at the address under ``area``.

    # -- live migration: the VMM's side ------------------------------------------------------------------

    def save(self, cpus):
        """Called when all vCPUs are stopped. Return a tuple of items, in the order of the restore."""
        saved = ()
        for owner in (VM, *(cpu.index for cpu in cpus)):
            for key in $kept:
                value = yield Get(registry(owner, key))
                if value is not None:
                    saved += ((owner, key, value),)
        return saved

    def restore(self, cpus, saved):
        """Called on the other host, whose state is empty, with what ``save`` returned. Return nothing."""
        for owner, key, value in saved:
            cpu = cpus[0 if owner == VM else owner]
$restore

    def state(self, entries, cpus):
        """Called after a run, with all of the host's entries: what a migration must carry, and by which interface."""
        return [
            StateEntry(key.cpu, f"type {key.name}", 16, 16, "$interface", architected=$shown, carried=True)
            for key in sorted(entries, key=str)
            if key.kind == "registry"
        ]
'''

RESTORE_TYPE = '''\
            if TYPES[key] in self.by_name:
                yield from self.keep(cpu, key, value)'''

FEATURE = '''

ENTRIES = struct("struct $name_area { __u64 entries; __u32 version; __u32 pad; };")


class $ClassArea(Feature):
    """What the area holds: here, how often the vCPU has entered the guest. One for each vCPU."""

    name = "$name_area"
    title = "entries of $name"
    payload = ENTRIES
    size = 16  # bytes that the host may write
    align = 16
    update_when = "entry"  # also: "request", "registration", "event", "never"
    # If a real host updates on other occasions: counted = Counted("upper bound", "what it does", "where that stands")
    linux_boot = 9  # the guest registers it at boot, after the others

    def prepare(self, gpa):
        """Guest, before it registers the area: bring it into the state that the ABI requires. Return nothing."""
        yield Store(gpa, bytes(self.size))

    def update(self, cpu, gpa, now):
        """Host, at each entry: write the payload once. Return nothing; False if the area could not be written."""
        version = yield from seqlock.begin(gpa + 8)  # odd while the host writes
        entries = yield Load(gpa, U64)
        if version is None or entries is None:
            return False
        yield Store(gpa, (entries + 1) % (1 << 64), U64)
        yield from seqlock.end(gpa + 8, version)
        return None

    def read(self, gpa):
        """Guest: read the payload by the rules of its ABI. Return it, or None while the guest must wait."""
        return (yield from seqlock.read(gpa, 8, ENTRIES.on(Abi.X86_64)))
'''
