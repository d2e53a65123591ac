"""The engine room of radsift: sources, de-identification, deduplication, export, and the engines that run them."""

from curate import offline as offline  # first: what libraries would send is switched off before any is imported

__version__ = "0.1.0"
