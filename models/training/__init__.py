"""The training engine: token batches, one loop on accelerate, exact resume. Knows class logits, not what they mean."""
