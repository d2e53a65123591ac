"""Ours: a calibrated mixture of filters, taught by faults that are injected into right pairs."""
