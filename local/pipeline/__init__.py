"""What the pipeline's builds run beside Terraform; without any package, as they run before a set-up."""
