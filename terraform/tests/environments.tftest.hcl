# Guards that what was tried in staging is what prod gets: the two differ in size and in name only. And
# that all three environments can be planned as they are written down.

mock_provider "archive" {}
mock_provider "google" {}
mock_provider "time" {}

variables {
  omdb_api_key_version = 2
  project_id           = "movies-tests"
  region               = "europe-west1"
}

run "the_environments_can_be_read" {
  module {
    source = "./tests/environments"
  }

  assert {
    condition     = alltrue([for name, values in output.values : values.environment == name])
    error_message = "An environment goes by another's name"
  }

  assert {
    condition     = length(distinct([for values in output.values : values.project_id])) == 3
    error_message = "Two environments share a project"
  }
}

run "staging_sets_what_prod_sets" {
  module {
    source = "./tests/environments"
  }

  assert {
    condition     = keys(output.values.staging) == keys(output.values.prod)
    error_message = "staging sets ${join(", ", keys(output.values.staging))}, prod ${join(", ", keys(output.values.prod))}"
  }
}

run "staging_differs_from_prod_in_nothing_but_size_and_name" {
  module {
    source = "./tests/environments"
  }

  assert {
    condition = alltrue([
      for key, value in output.values.staging :
      jsonencode(value) == jsonencode(output.values.prod[key]) if !contains(["database", "environment", "function_sizes", "omdb_api_key_version", "pipeline", "project_id", "token_key_generation"], key)
    ])
    error_message = "A variable differs that is no size"
  }

  assert {
    condition = { for key, value in output.values.staging.database : key => value if !contains(["disk_limit_gb", "max_connections", "retained_backups", "tier"], key) } == {
      for key, value in output.values.prod.database : key => value if !contains(["disk_limit_gb", "max_connections", "retained_backups", "tier"], key)
    }
    error_message = "The databases differ in more than size"
  }

  assert {
    condition     = { for name, size in output.values.staging.function_sizes : name => keys(size) } == { for name, size in output.values.prod.function_sizes : name => keys(size) }
    error_message = "Other functions are sized in staging than in prod"
  }
}

run "prod_keeps_a_reader_of_each_kind_warm_and_nothing_else" {
  module {
    source = "./tests/environments"
  }

  assert {
    condition     = { for name, size in output.values.prod.function_sizes : name => size.min_instances if try(size.min_instances, 0) > 0 } == { movies_get = 1, movies_list = 1 }
    error_message = "A reader waits for a cold start, or more is paid for day and night than is meant"
  }

  assert {
    condition     = alltrue([for size in output.values.staging.function_sizes : try(size.min_instances, 0) == 0])
    error_message = "Staging keeps instances that nobody calls"
  }
}

run "dev_can_be_planned" {
  command = plan

  variables {
    deletion_protection = run.the_environments_can_be_read.values.dev.deletion_protection
    environment         = run.the_environments_can_be_read.values.dev.environment
    private_network     = run.the_environments_can_be_read.values.dev.private_network
    project_id          = run.the_environments_can_be_read.values.dev.project_id
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].availability_type == "ZONAL" && google_sql_database_instance.main.settings[0].tier == "db-g1-small"
    error_message = "dev has a database that costs more than it needs"
  }
}

run "staging_can_be_planned" {
  command = plan

  variables {
    database       = run.the_environments_can_be_read.values.staging.database
    environment    = run.the_environments_can_be_read.values.staging.environment
    function_sizes = run.the_environments_can_be_read.values.staging.function_sizes
    project_id     = run.the_environments_can_be_read.values.staging.project_id
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].availability_type == "REGIONAL"
    error_message = "A failover could not be tried in staging"
  }
}

run "prod_can_be_planned" {
  command = plan

  variables {
    database       = run.the_environments_can_be_read.values.prod.database
    environment    = run.the_environments_can_be_read.values.prod.environment
    function_sizes = run.the_environments_can_be_read.values.prod.function_sizes
    project_id     = run.the_environments_can_be_read.values.prod.project_id
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].availability_type == "REGIONAL" && google_sql_database_instance.main.deletion_protection
    error_message = "prod is not highly available, or not protected"
  }
}
