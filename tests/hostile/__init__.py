"""Bad input of every kind to every command: one line, the right status, nothing left behind, nothing lost."""
