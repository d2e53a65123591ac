"""BLIP-2: a Q-Former over a frozen image encoder."""
