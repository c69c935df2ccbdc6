"""Which vCPUs of a machine can be exchanged, and what an exchange does to its states and programs."""
