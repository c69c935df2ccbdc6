"""Checks on the machine that an engine runs: ghost variables, facts of one state, spontaneous actions, failures."""
