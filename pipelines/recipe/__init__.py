"""What a recipe may say: its models, how a file becomes one, and the reference made from them."""
