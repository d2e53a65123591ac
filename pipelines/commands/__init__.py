"""The commands, by what they are about; `pipelines.cli` makes one program of them."""
