"""Training the final model on a run's shards: open_clip's models and losses, a loader and loop that resume exactly."""
