"""Lifecycle events: every event under every protocol, the words, and their reasons."""
