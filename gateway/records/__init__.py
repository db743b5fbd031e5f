"""What stays: decisions, counts, and texts where settings ask for them."""
