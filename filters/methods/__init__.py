"""A file a method: each says what it scores and from which paper."""
