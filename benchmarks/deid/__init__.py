"""What `curate deid` is measured by, one module a claim: `python -m benchmarks.deid`."""
