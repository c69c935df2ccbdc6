"""A workbench in which paravirtual registration protocols are designed and compared.

One source per protocol, written as generators that yield steps, run by several engines.
Start with ``workbench compare``, ``notebooks/00-start.ipynb`` or ARCHITECTURE.md.
"""

__version__ = "0.1.0"

#: The two designs of the question, by name: what is compared when none is named.
DEFAULT = ("generic", "per_feature")
