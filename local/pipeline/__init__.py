"""What a build of the pipeline runs beside Terraform, before any package is there."""
