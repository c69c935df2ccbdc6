"""Designs with a fault, which exercises let students find and repair."""
