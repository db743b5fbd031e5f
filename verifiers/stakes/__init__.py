"""The stakes of a request: a policy of rules and a classifier that raise the tier, never lower it."""
