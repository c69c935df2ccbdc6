"""Many vCPUs at once: vCPUs that do the same thing at other addresses run as one (docs/decisions/0003)."""
