"""Tests of the workbench on historical bugs."""
