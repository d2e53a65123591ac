"""Evaluation of a trained model: all tasks over one pass of images and texts, with intervals over patients."""
