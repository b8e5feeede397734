"""What a policy is: handles, the language model and its slots of weights, log-probabilities."""
