"""Tree search over the tokens, or steps, of a language model's responses."""
