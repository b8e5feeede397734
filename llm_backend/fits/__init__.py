"""Fitting a policy to judged responses: objectives and the training loop."""
