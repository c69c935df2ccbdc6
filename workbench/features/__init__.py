"""The features, which define the content of areas (payload ABIs), in one small file each.

Every named ``Feature`` class in a file of this folder is in FEATURES; it need not be listed anywhere else. Those of
the folder ``others`` belong to the ABI of one design each; they are in OTHERS, and "all" does not mean them. A feature
in a file elsewhere is given by its path.
"""

from collections.abc import Iterable, Iterator
from types import ModuleType

from workbench.core.catalogue import Catalogue, by_key, classes_in, modules_of
from workbench.core.contracts import Feature
from workbench.core.contracts.complete import check_feature
from workbench.core.own_files import Sort
from workbench.features import others

#: The files whose features come first in tables, in this order; all others follow in order of file names.
_FIRST = ("kvmclock", "wall_clock", "async_pf", "pv_eoi", "steal_time", "controls", "watchdog")


def _found(modules: Iterable[ModuleType]) -> Iterator[Feature]:
    return (kind() for module in modules for kind in classes_in(module, Feature))


FEATURES: dict[str, Feature] = by_key(_found(modules_of(__name__, __path__, _FIRST)), lambda feature: feature.name)
#: Those that ship: KVM's, then those of other designs.
SHIPPED = by_key(
    (*FEATURES.values(), *_found(modules_of(others.__name__, others.__path__))), lambda feature: feature.name
)
OTHERS: dict[str, Feature] = {name: feature for name, feature in SHIPPED.items() if name not in FEATURES}

CATALOGUE = Catalogue(Sort("feature", Feature), FEATURES, check_feature, OTHERS)


def choose(names: Iterable[str | Feature] | None = None) -> tuple[Feature, ...]:
    """Return the named features in the order of FEATURES, then those from files as named; None, "all": all that ship.

    Raises WorkbenchError for an unknown name, a file that has no such feature, or two features of the same name.
    """
    return CATALOGUE.several(names)


def choose_one(name: str | Feature) -> Feature:
    """Return the named feature; raise WorkbenchError if there is none, and if the name stands for several."""
    return CATALOGUE.single(name, choose([name]))
