"""Tests of the registration designs: one for each numbered clause."""
