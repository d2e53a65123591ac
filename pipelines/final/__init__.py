"""The final model: trained on the shards, asked what it is worth, and whether filtering paid."""
