"""Frames of reports and letters in the six languages beside English: what must go, what must stay, how much did.

    python -m benchmarks.deid.languages [--split dev|test] [--fills 8] [--languages de,es] [--texts FILE]

One file a language (`de.txt` ...): names, towns, streets, facilities, and frames as hospitals of those countries write
them. Two halves by the hash of the frame, and of the names: `dev` may be looked at while rules are tuned; of `test`
only
figures are shown. Filled and judged as the English ones (`benchmarks.deid.frames`), with each language's closed class.
"""
