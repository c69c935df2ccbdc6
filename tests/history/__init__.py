"""Tests of history as oracle."""
