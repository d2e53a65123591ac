"""The learned networks: everything that needs torch. Importing the package itself loads nothing heavy."""
