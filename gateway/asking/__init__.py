"""Asking the two models: one OpenAI-compatible client, its retries, its circuit breaker, its streams."""
