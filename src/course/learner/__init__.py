"""The learner's folder: notebooks, progress, predictions, the ledger."""
