"""OMDb: its client, what its answers mean, what was asked before, and who may ask how often."""
