"""The lifecycle events that trigger the historical bugs: actions of a guest, a host or a VMM."""
