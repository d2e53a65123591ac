"""A finished model's folder in the layouts of open_clip and transformers."""
