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
    condition     = local.connections_needed == 10 + 2 * 8 + 2 * 8 + 8 + 4 + 2 + 2 + 2 + 2 + 1 + 1 + 1 + 1
    error_message = "Counted ${local.connections_needed}"
  }
}

run "a_budget_that_just_fits_can_be_planned" {
  command = plan

  variables {
    database       = { max_connections = 66 }
    function_sizes = { brew_coffee = { max_instances = 50 } }
  }

  assert {
    condition     = local.connections_needed == 66
    error_message = "brew_coffee was counted, or this boundary moved: needed are ${local.connections_needed}"
  }

  assert {
    condition     = one([for flag in google_sql_database_instance.main.settings[0].database_flags : flag.value if flag.name == "max_connections"]) == "66"
    error_message = "The budget counts on another number than the flag says"
  }
}

run "one_connection_over_cannot_be_planned" {
  command = plan

  variables {
    database = { max_connections = 65 }
  }

  expect_failures = [google_sql_database_instance.main]
}

run "one_more_instance_than_fits_cannot_be_planned" {
  command = plan

  variables {
    database       = { max_connections = 66 }
    function_sizes = { movies_list = { max_instances = 3 } }
  }

  expect_failures = [google_sql_database_instance.main]
}

run "more_connections_for_each_instance_cannot_be_planned" {
  command = plan

  variables {
    database       = { max_connections = 66 }
    function_sizes = { login = { connections = 3 } }
  }

  expect_failures = [google_sql_database_instance.main]
}

run "least_instances_are_counted_of_the_old_revision_and_of_the_new_one" {
  command = plan

  variables {
    database       = { max_connections = 74 }
    function_sizes = { movies_list = { min_instances = 1 } }
  }

  assert {
    condition     = local.connections_needed == 66 + 8
    error_message = "Counted ${local.connections_needed}"
  }
}

run "least_instances_that_do_not_fit_twice_cannot_be_planned" {
  command = plan

  variables {
    database       = { max_connections = 73 }
    function_sizes = { movies_list = { min_instances = 1 } }
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
