"""Ground of the house: records, settings, errors, fingerprints, ledger, store. No torch, no web, no mlflow."""
