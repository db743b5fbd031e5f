"""What an expert says: the ballot, its rules, drafts, marks, and the saving of judgements."""
