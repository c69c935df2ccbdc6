"""Exports an explored model for other programs: Promela for the SPIN checker, DOT, GraphML."""
