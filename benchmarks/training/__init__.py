"""Training the final model against its numbers: the loader, the losses, what filtering paid."""
