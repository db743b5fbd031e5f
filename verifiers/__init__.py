"""The recheck of a weak answer: stakes, one check a file, the chain that runs them."""
