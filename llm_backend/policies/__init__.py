"""What a policy is: handles, the language model that holds their weights, log-probabilities."""
