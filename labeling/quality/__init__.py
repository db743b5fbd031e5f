"""How good the judgements are: counts, agreement, gold, consensus, adjudication."""
