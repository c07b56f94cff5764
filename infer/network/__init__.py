"""The network: how BART and T5 are run here, with their weights, precision and tokeniser."""
