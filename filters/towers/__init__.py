"""Towers: every way to load, run and keep an image and a text encoder; their configurations, weights, tokenizers."""
