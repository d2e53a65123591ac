"""The composition root: recipes, how they become steps, and the command."""

import curate as curate  # before any library: see curate.offline
