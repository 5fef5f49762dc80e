# terraform init -backend-config=environments/prod/backend.hcl
bucket = "movies-prod-example-terraform-state"
prefix = "movies"
