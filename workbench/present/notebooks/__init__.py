"""Notebooks: executed, made comparable, and what their cells call."""
