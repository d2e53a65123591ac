"""The engine room of radsift: sources, de-identification, deduplication, export, and the engines that run them."""

__version__ = "0.1.0"
