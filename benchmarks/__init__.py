"""Benchmarks: run one with `python -m benchmarks.NAME`; the tests also use `benchmarks.models`."""
