# Set these two, and the bucket in backend.hcl.
project_id = "movies-prod-example"
region     = "europe-west1"

environment = "prod"

database = {
  disk_limit_gb     = 200
  high_availability = true
  max_connections   = 400
  retained_backups  = 30
  tier              = "db-custom-4-15360"
}

function_sizes = {
  imports_get      = { max_instances = 2 }
  imports_list     = { max_instances = 2 }
  login            = { max_instances = 4 }
  movies_create    = { max_instances = 4 }
  movies_delete    = { max_instances = 2 }
  movies_get       = { max_instances = 14, min_instances = 1 } # no reader waits for a cold start
  movies_get_many  = { max_instances = 4 }
  movies_list      = { max_instances = 14, min_instances = 1 }
  movies_random    = { max_instances = 2 }
  movies_search    = { max_instances = 4 }
  sessions_refresh = { max_instances = 4 } # as login: each client asks it every quarter of an hour
}
