"""The search with compiled loops; it needs the optional package numba."""
