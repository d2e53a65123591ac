"""The composition root: recipes, how they become steps, and the command."""
