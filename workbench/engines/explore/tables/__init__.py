"""Packed states and lookup tables, shared by the NumPy and the numba engine."""
