"""From settings to processes that answer on a port."""
