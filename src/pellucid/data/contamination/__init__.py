"""Contamination: what of an evaluation set stands in training data, with the evidence."""
