"""The shared guest-memory core: memory, layouts, steps, outcomes and the machine they act on."""
