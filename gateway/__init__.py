"""OpenAI-compatible server and in-process Controller: route, answer, verify, escalate."""
