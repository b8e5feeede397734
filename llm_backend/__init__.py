"""The language-model arena of pgames: the same solvers, on a Hugging Face causal language model."""
