"""What a trained model is worth: every task over one pass of its images and texts, with intervals over patients."""
