"""What clients see: paths, headers, errors, streams. It knows HTTP, and the routing loop as a whole."""
