"""Tests of what is in an area."""
