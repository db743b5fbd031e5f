"""Networks that read text: the BERT classifier and the causal language model, each giving class logits."""
