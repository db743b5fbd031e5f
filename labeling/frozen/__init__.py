"""Immutable dataset versions, and the forms in which other tools read them."""
