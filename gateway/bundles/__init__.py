"""What decides while the gateway runs: aliases followed, bundles swapped, canary, shadow and stop switch."""
