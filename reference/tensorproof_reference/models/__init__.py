"""Models: one file each, a description of layers, loss, optimizer and data."""
