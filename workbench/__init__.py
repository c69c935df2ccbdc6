"""A workbench in which paravirtual registration protocols are designed and compared.

One source per protocol, written as generators that yield steps, run by several engines.
Start with ``workbench compare``, ``notebooks/00-start.ipynb`` or ARCHITECTURE.md.
"""

__version__ = "0.1.0"
