# Guards the connection budget. Each instance opens as many connections as its function.yaml says; once all
# instances together could open more than Postgres takes, a busy hour turns into "too many clients"
# for every function at once. The plan has to fail before that, and not a connection later or earlier.

mock_provider "archive" {}
mock_provider "google" {}
mock_provider "time" {}

# What a deployed function looks like from here: its zip would be made anew for each of these plans.
override_module {
  target = module.function

  outputs = {
    deployed = {}
    service  = "a-function"
    url      = "https://a-function.example.com"
  }
}

variables {
  omdb_api_key_version = 2
  project_id           = "movies-tests"
  region               = "europe-west1"
}

run "what_the_table_asks_for_fits_the_default_database" {
  command = plan

  assert {
    condition     = local.connections_over <= 0
    error_message = "${local.connections_needed} connections are needed, ${local.connections_over} too many"
  }

  assert {
    condition     = local.connections_needed == 10 + 2 * 8 + 2 * 8 + 8 + 4 + 8 * 2 + 14
    error_message = "Counted ${local.connections_needed}"
  }
}

run "more_of_each_kind_is_counted_and_may_be_all_that_there_are" {
  command = plan

  variables {
    database       = { max_connections = 101 }
    function_sizes = { brew_coffee = { max_instances = 50 }, login = { connections = 3 }, movies_get = { min_instances = 1 }, movies_list = { max_instances = 3 } }
  }

  assert {
    condition     = local.connections_needed == 84 + 1 + 8 + 8
    error_message = "Counted ${local.connections_needed}: brew_coffee as well, or not each connection of login, instance of movies_list, and least instance of movies_get, which the old revision keeps beside the new one"
  }

  assert {
    condition     = one([for flag in google_sql_database_instance.main.settings[0].database_flags : flag.value if flag.name == "max_connections"]) == "101"
    error_message = "The budget counts on another number than the flag says"
  }
}

run "one_connection_over_cannot_be_planned" {
  command = plan

  variables {
    database       = { max_connections = 100 }
    function_sizes = { brew_coffee = { max_instances = 50 }, login = { connections = 3 }, movies_get = { min_instances = 1 }, movies_list = { max_instances = 3 } }
  }

  expect_failures = [google_sql_database_instance.main]
}

run "the_reserve_leaves_room_for_postgres_itself" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database = { reserved_connections = 5 }
  }

  expect_failures = [var.database]
}
