# Set these two, and the bucket in backend.hcl.
project_id = "movies-staging-example"
region     = "europe-west1"

environment = "staging"

# As prod, but small: a test compares the two.
database = {
  high_availability = true
  max_connections   = 400
  tier              = "db-custom-2-7680"
}

function_sizes = {
  imports_get      = { max_instances = 2 }
  imports_list     = { max_instances = 2 }
  login            = { max_instances = 2 }
  movies_create    = { max_instances = 2 }
  movies_delete    = { max_instances = 2 }
  movies_get       = { max_instances = 4, min_instances = 0 } # here, cold starts are met
  movies_get_many  = { max_instances = 2 }
  movies_list      = { max_instances = 4, min_instances = 0 }
  movies_random    = { max_instances = 2 }
  movies_search    = { max_instances = 2 }
  sessions_refresh = { max_instances = 2 }
}
