"""What is asked of a machine that an engine runs: ghosts, facts of one state, what happens by itself, failures."""
