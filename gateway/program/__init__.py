"""The gateway inside a program, by RouteLLM's names."""
