"""Simulate: one schedule, every step recorded."""

from workbench.engines.simulate.engine import Run, Simulation, simulate

__all__ = ["Run", "Simulation", "simulate"]
