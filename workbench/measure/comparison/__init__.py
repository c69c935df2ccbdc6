"""Exits, accesses, fates, migration state, guest memory and costs of simulated runs, as tidy tables."""
