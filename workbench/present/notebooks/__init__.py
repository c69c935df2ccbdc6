"""Notebooks: executing them, making their outputs comparable, and the functions that their cells call."""
