"""Packed states and local tables: what the NumPy and the numba search share."""
