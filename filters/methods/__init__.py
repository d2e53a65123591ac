"""A file or folder a method: each says what it scores and from which paper. Judges and the findings verifier have their
own folders."""
