"""Version skew: guests, kernels and VMMs of which some do not know the design, each combination run and judged."""
