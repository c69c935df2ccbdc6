"""The search engine with compiled loops; it needs the optional package numba."""
