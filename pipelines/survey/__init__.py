"""What is looked at before there is a run: the machine, the archive, how files will pair."""
