"""Figures of measurements as matplotlib Figure objects, and the bytes of their pictures."""
