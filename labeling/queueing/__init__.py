"""Who judges what next, and why: places in the queue, sides, streams, checks."""
