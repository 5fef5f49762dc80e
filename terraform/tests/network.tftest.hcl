# Guards the two ways to the database: a private address that functions reach through a subnet, or a
# public one that nobody is authorised to connect to but through the connector.

mock_provider "archive" {}
mock_provider "google" {}
mock_provider "time" {}

# What a deployed function looks like from here; its zip need not be made for each of these plans.
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

run "a_private_network_leaves_the_database_no_public_address" {
  command = plan

  assert {
    condition     = google_sql_database_instance.main.settings[0].ip_configuration[0].ipv4_enabled == false
    error_message = "The database has a public address"
  }

  assert {
    condition     = local.settings.database.DB_IP_TYPE == "PRIVATE"
    error_message = "The connector asks for the public address"
  }
}

run "without_it_there_is_no_network_and_no_authorised_one" {
  command = plan

  variables {
    private_network = false
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].ip_configuration[0].ipv4_enabled && length(google_sql_database_instance.main.settings[0].ip_configuration[0].authorized_networks) == 0
    error_message = "A network is authorised"
  }

  assert {
    condition     = length(google_compute_network.main) == 0 && local.settings.database.DB_IP_TYPE == "PUBLIC"
    error_message = "There is a network all the same"
  }
}

run "a_subnet_of_64_addresses_is_large_enough" {
  command = plan

  variables {
    subnet_cidr = "10.20.0.0/26"
  }

  assert {
    condition     = google_compute_subnetwork.functions[0].ip_cidr_range == "10.20.0.0/26"
    error_message = "The range was not taken over"
  }
}

run "a_subnet_of_32_addresses_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    subnet_cidr = "10.20.0.0/27"
  }

  expect_failures = [var.subnet_cidr]
}

run "a_public_range_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    subnet_cidr = "172.32.0.0/24"
  }

  expect_failures = [var.subnet_cidr]
}
