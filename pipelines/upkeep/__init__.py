"""Looking after a finished run: is it whole, what nothing refers to, a patient who leaves."""
