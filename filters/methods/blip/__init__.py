"""BLIP: judge, captioner, and CapFilt, which puts both to work."""
