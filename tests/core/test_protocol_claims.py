"""Which registers a real KVM leaves to a protocol's own handlers: all of them, unless the class says otherwise."""

from types import MappingProxyType

from workbench.core.contracts import Protocol


class Plain(Protocol):
    """A protocol that states only the registers that it claims."""

    msrs = frozenset({1, 2})


class Kvms(Protocol):
    """A protocol whose host side is KVM's own code."""

    msrs = frozenset({1, 2})
    native = MappingProxyType({"clock": 1})


class Mixed(Protocol):
    """KVM serves one of the two."""

    msrs = frozenset({1, 2})
    native = MappingProxyType({"clock": 1})
    deflected = frozenset({2})


def test_what_is_claimed_is_deflected():
    assert Plain.deflected == {1, 2}
    assert Plain.native == {}


def test_what_kvm_serves_is_not():
    assert Kvms.deflected == frozenset()
    assert Mixed.deflected == {2}


def test_a_variation_of_kvms_own_protocol_is_not_kvms():
    class Variation(Kvms):
        pass

    assert Variation.native == {}
    assert Variation.deflected == {1, 2}


def test_a_variation_of_another_claims_what_it_says_itself():
    class Same(Plain):
        pass

    class Fewer(Plain):
        msrs = frozenset({1})

    assert Same.deflected == {1, 2}
    assert Fewer.deflected == {1}
