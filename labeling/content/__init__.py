"""What is judged: import of queries and answers, and what is screened before anyone sees them."""
