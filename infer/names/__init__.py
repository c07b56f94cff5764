"""Ranking by names: genes, species and cell lines are linked without a neural network."""
