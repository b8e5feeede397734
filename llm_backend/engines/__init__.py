"""Engines that draw responses: the decoding loop of this package, or a vLLM server."""
