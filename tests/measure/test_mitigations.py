"""The price of each mitigation, and the failures that return if one is left out."""

import pytest

from workbench.lifecycle import EVENTS
from workbench.measure.exploration.matrix import Size, matrix
from workbench.measure.exploration.mitigations import VCPUS, changes, effect, left_out, mitigated, price
from workbench.measure.variants import variant, variants
from workbench.present.text.matrix import effects_text, left_out_text, matrix_text
from workbench.protocols import PROTOCOLS

ONE = (Size(1, ("wall_clock",)),)


def test_what_revoke_all_costs_stands_in_the_price():
    """One WRMSR for each CPU that a kernel brings up: at boot, and when the next kernel boots."""
    bare, revoking = price(variant("generic")), price(variant("generic+revoke-all"))
    assert revoking.boot_exits == bare.boot_exits + VCPUS
    assert revoking.kexec_exits == bare.kexec_exits + VCPUS
    assert revoking[2:] == bare[2:]


@pytest.mark.parametrize("name", ["validate-restore", "quiet-restore", "refuse-overlap", "copy-once"])
def test_a_check_of_the_hosts_costs_no_exit_and_no_state(name):
    assert price(variant(f"generic+{name}")) == price(variant("generic"))


@pytest.mark.parametrize("kind", PROTOCOLS.values(), ids=PROTOCOLS)
def test_all_means_every_mitigation_that_a_protocol_knows(kind):
    found = mitigated(variants([kind.name]), ["all"])
    assert [one.mitigations for one in found] == [tuple(kind.mitigations_known)] * bool(kind.mitigations_known)
    for one in found:
        rest = left_out(one)
        assert list(rest) == list(kind.mitigations_known)
        assert all({name, *less.mitigations} == set(one.mitigations) for name, less in rest.items())
        assert all(name not in less.mitigations for name, less in rest.items())


def test_what_comes_back_when_a_mitigation_is_left_out():
    (design,), (repaired,) = variants(["generic"]), mitigated(variants(["generic"]), ["all"])
    events = [EVENTS["migrate"], EVENTS["migrate-damaged"]]
    before, after = matrix([design], events, sizes=ONE), matrix([repaired], events, sizes=ONE)
    names = ("carry-registry", "validate-restore", "quiet-restore", "bound-registry")
    less = {name: left_out(repaired)[name] for name in names}
    back = {name: changes(after, matrix([one], events, sizes=ONE)) for name, one in less.items()}
    assert {name: {(c.event, c.property, c.after) for c in found} for name, found in back.items()} == {
        "carry-registry": {
            ("migrate", "F02", "FAILS"),
            ("migrate", "F09", "NOT EXERCISED"),  # nothing is restored
            ("migrate", "F10", "NOT EXERCISED"),
        },
        "validate-restore": {
            ("migrate-damaged", "F02", "HOLDS"),  # an area that is served outside memory does not count as lost
            ("migrate-damaged", "F09", "FAILS"),
            ("migrate-damaged", "F10", "HOLDS"),  # a restore that refuses everything restores nothing
            ("migrate-damaged", "F15", "FAILS"),
        },
        "quiet-restore": {("migrate", "F10", "FAILS")},
        "bound-registry": set(),
    }
    text = left_out_text(back)
    assert "without validate-restore:\n  migrate-damaged: lost registration FAILS -> HOLDS\n" in text
    assert "without bound-registry: no verdict changes\n" in text
    printed = (text, matrix_text(after, ONE), effects_text([effect(repaired, before, after)]))
    assert max(len(line) for each in printed for line in each.splitlines()) <= 72
