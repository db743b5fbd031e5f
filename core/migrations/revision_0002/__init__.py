"""From 0001 to 0002: what the tables are since then, and how the rows of a store of 0001 come into them."""
