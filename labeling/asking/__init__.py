"""Asking two endpoints for the answers that queries lack. Texts go where the settings say, and nowhere else."""
