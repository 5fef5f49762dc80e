# terraform init -backend-config=environments/staging/backend.hcl
bucket = "movies-staging-example-terraform-state"
prefix = "movies"
