"""The search engine for what does not fit in memory: visited states and levels are in files."""
