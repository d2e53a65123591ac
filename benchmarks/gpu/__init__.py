"""What the product does on a GPU, in under ten minutes: `benchmarks/gpu.sh`."""
