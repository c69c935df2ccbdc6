"""The registration protocols, in one small file each, with numbered clauses R1.. at the top.

Every named ``Protocol`` class in a file of this folder is in PROTOCOLS; a file elsewhere is given by its path. The
first three are those of the question, and what is offered where nothing is named; all others are asked for by name.
"""

from workbench import DEFAULT
from workbench.core.catalogue import Catalogue, by_key, classes_in, modules_of
from workbench.core.contracts import Protocol
from workbench.core.contracts.complete import check_protocol
from workbench.core.own_files import Sort, is_from_file
from workbench.protocols.generic import Generic
from workbench.protocols.null import Null
from workbench.protocols.per_feature import PerFeature

#: The two designs of the question and the one that does nothing: offered first, and the first in tables, in this order.
#: All others follow in order of file names.
FIRST = (*DEFAULT, "null")

PROTOCOLS: dict[str, type[Protocol]] = by_key(
    (kind for module in modules_of(__name__, __path__, FIRST) for kind in classes_in(module, Protocol)),
    lambda kind: kind.name,
)

CATALOGUE = Catalogue(Sort("protocol", Protocol, made=False), PROTOCOLS, check_protocol)

__all__ = ["CATALOGUE", "FIRST", "PROTOCOLS", "Generic", "Null", "PerFeature", "find", "is_from_file"]


def find(name: str) -> type[Protocol]:
    """Return a protocol class by its name, or from ``path/to/file.py:Class``.

    Raises WorkbenchError if there is none; the message lists the known names or says what is wrong with the file.
    """
    return CATALOGUE.find(name)
