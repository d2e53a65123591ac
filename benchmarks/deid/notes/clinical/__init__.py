"""Sentences of radiology reports, written for this benchmark: one text file a region, and how they are filled."""
