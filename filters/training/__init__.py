"""Training: one loop for all objectives, of filters on pairs in memory and of the final model on shards; resumable."""
