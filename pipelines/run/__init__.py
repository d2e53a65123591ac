"""A run: what is checked before it, the archive as listed, the steps carried out, how far they are."""
