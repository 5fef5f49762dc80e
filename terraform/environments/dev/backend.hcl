# terraform init -backend-config=environments/dev/backend.hcl
bucket = "movies-dev-example-terraform-state"
prefix = "movies"
