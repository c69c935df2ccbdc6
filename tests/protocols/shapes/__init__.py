"""Designs of other shapes than a register: one file each, written as an author would write it."""
