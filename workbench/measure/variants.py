"""Variants, which are what is compared: protocols, by name or from a file, each with mitigations switched on.

What is said of mitigations goes for other readings of a design's source too (``Protocol.readings_known``); only "all
mitigations" never means them.

A variant is written ``NAME``, ``path/to/file.py:Class`` or ``path/to/file.py``, each followed by any number of
``+mitigation``: ``generic+carry-registry``. In tables a protocol from a file is labelled with its own name, not
with the path.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from workbench import DEFAULT, protocols
from workbench.core import own_files
from workbench.core.catalogue import ALL
from workbench.core.contracts import Feature, Protocol
from workbench.core.rules.author import check_class
from workbench.errors import WorkbenchError, not_known
from workbench.features import FEATURES
from workbench.features import choose as choose_features
from workbench.measure.label import Label

__all__ = ["DEFAULT", "Variant", "features_of", "features_text", "first_feature", "variant", "variants"]

_VARIANT = re.compile(r"(?P<name>.*?\.py(?::\w*)?|[^+]*)(?P<mitigations>(?:\+[^+/]*)*)")


@dataclass(frozen=True)
class Variant:
    """A protocol class with mitigations, under the label that stands in tables."""

    label: str
    kind: type[Protocol]
    mitigations: tuple[str, ...] = ()

    @classmethod
    def of(cls, kind: type[Protocol], mitigations: Iterable[str] = ()) -> "Variant":
        """Return ``kind`` with ``mitigations``, under its own name and theirs.

        Raises AuthorError if a class of the user's own breaks a rule (``core.rules``).
        """
        check_class(kind)
        label = Label(getattr(kind, "name", kind.__name__), tuple(mitigations))
        return cls(str(label), kind, label.mitigations)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process: a class from a file goes by its path, because no process can import it by name."""
        kind = self.kind
        named = f"{kind.__module__}:{kind.__qualname__}" if protocols.is_from_file(kind) else kind
        return _arrived, (self.label, named, self.mitigations)

    def protocol(self, features: tuple[Feature, ...]) -> Protocol:
        """Return an instance of the protocol for ``features``."""
        return self.kind(features, self.mitigations)


def _arrived(label: str, kind: type[Protocol] | str, mitigations: tuple[str, ...]) -> Variant:
    return Variant(label, protocols.find(kind) if isinstance(kind, str) else kind, mitigations)


def variant(text: str) -> Variant:
    """Return the variant that ``text`` names; raise WorkbenchError if the protocol or a mitigation is unknown."""
    match = _VARIANT.fullmatch(text)
    if match is None:
        raise WorkbenchError(f"{text!r} does not name a protocol", protocols.PROTOCOLS)
    kind = protocols.find(match["name"])
    found = Variant.of(kind, dict.fromkeys(Label.read(match["mitigations"]).mitigations))
    for mitigation in found.mitigations:
        if mitigation not in kind.switches():
            said = f"protocol {Variant.of(kind).label!r} has no mitigation {mitigation!r}"
            raise not_known(said, mitigation, kind.switches())
    return found


def variants(named: Iterable[str | Variant]) -> tuple[Variant, ...]:
    """Return the variants in the order named, each once; "all" stands for every design that ships.

    Raises WorkbenchError if two share a label.
    """
    found: dict[str, Variant] = {}
    for name in chain.from_iterable(protocols.PROTOCOLS if one == ALL else (one,) for one in named):
        one = variant(name) if isinstance(name, str) else name
        if found.setdefault(one.label, one).kind is not one.kind:
            raise WorkbenchError(f"two different protocols are called {one.label!r}; rename one of them")
    if not found:
        raise WorkbenchError("no protocol named", protocols.PROTOCOLS, more=f", or {own_files.EXAMPLE}")
    return tuple(found.values())


def features_of(one: Variant, named: Iterable[str | Feature] | None = None) -> tuple[Feature, ...]:
    """Return the features named; None: those of the design's own ABI if it has one, otherwise all of KVM's."""
    return choose_features(one.kind.own_features or None if named is None else named)


def first_feature(one: Variant) -> tuple[str, ...]:
    """Return the name of the feature with which a design is explored if none is named."""
    return one.kind.own_features[:1] or ("steal_time",)


def features_text(features: tuple[Feature, ...]) -> str:
    """Return the text of the column ``features``: "all", or names separated by commas."""
    names = [feature.name for feature in features]
    return "all" if names == list(FEATURES) else ",".join(names)
