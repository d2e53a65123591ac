"""Training: the one loop, ways to learn, a filter on pairs in memory, the final model on shards; resumed exactly."""
