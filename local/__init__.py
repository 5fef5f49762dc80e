"""What runs on a developer's machine, or in the pipeline, but never in a function."""
