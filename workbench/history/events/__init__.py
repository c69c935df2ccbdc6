"""Events of history: what a guest, a host or a VMM did when a bug showed itself."""
