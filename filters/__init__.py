"""The learned networks: everything that needs torch. Importing the package itself loads nothing heavy."""

import curate as curate  # before any library: see curate.offline
