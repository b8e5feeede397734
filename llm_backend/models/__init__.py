"""The language model: loading, log-probabilities, the fused loss."""
