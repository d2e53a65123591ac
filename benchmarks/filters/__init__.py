"""The learned filters against their numbers."""
