"""From outcomes to a registered, promoted router: stages, tracking, evaluation."""
