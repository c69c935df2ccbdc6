"""The search that needs NumPy alone."""
