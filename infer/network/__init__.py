"""The network: BART and T5 as they are run here, their weights, precision and tokeniser."""
