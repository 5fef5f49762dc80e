# Set these two, and the bucket in backend.hcl.
project_id = "movies-dev-example"
region     = "europe-west1"

environment = "dev"

# Cheap, and easily thrown away.
deletion_protection = false
private_network     = false
