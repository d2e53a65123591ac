"""Image quality: a picture by itself."""
