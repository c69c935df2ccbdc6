"""Benchmarks: run one with `python -m benchmarks.NAME`; the tests use `benchmarks.models`, too."""
