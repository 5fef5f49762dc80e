# Guards the two ways to the database: a private address that functions reach through a subnet, or a
# public one that nobody is authorised to connect to but through the connector. And that the subnet is
# large enough: without an address left an instance does not start, at the worst moment there is.

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

run "a_private_network_hides_the_database_and_its_default_subnet_takes_124_instances" {
  command = plan

  variables {
    database       = { max_connections = 1000 }
    function_sizes = { movies_list = { max_instances = 98 } }
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].ip_configuration[0].ipv4_enabled == false
    error_message = "The database has a public address"
  }

  assert {
    condition     = local.settings.database.DB_IP_TYPE == "PRIVATE"
    error_message = "The connector asks for the public address"
  }

  assert {
    # Cloud Run's own limit is 240 seconds, the last try takes 10, and the start itself a few.
    condition     = tonumber(local.settings.database.DATABASE_WAIT_SECONDS) >= 60 && tonumber(local.settings.database.DATABASE_WAIT_SECONDS) <= 200
    error_message = "An instance opens its port before its network is there, or is ended while it waits"
  }

  assert {
    condition     = local.addresses_needed == 496 + 4
    error_message = "Counted ${local.addresses_needed}"
  }
}

run "without_it_no_network_is_there_or_authorised_and_no_address_needed" {
  command = plan

  variables {
    database        = { max_connections = 1000 }
    function_sizes  = { movies_list = { max_instances = 99 } }
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

  assert {
    condition     = local.settings.database.DATABASE_WAIT_SECONDS == "0"
    error_message = "A start waits for a network that there is not"
  }

  assert {
    condition     = length(google_compute_subnetwork.functions) == 0
    error_message = "There is a subnet"
  }
}

run "as_many_instances_as_a_subnet_of_128_addresses_has_room_for_can_be_planned" {
  command = plan

  variables {
    database       = { max_connections = 1000 }
    function_sizes = { brew_coffee = { max_instances = 50 } }
    subnet_cidr    = "10.20.0.0/25"
  }

  assert {
    condition     = google_compute_subnetwork.functions[0].ip_cidr_range == "10.20.0.0/25"
    error_message = "The range was not taken over"
  }

  assert {
    condition     = local.addresses_needed == 28 * 4 + 4
    error_message = "brew_coffee was counted, or this boundary moved: needed are ${local.addresses_needed}"
  }
}

run "the_default_subnet_does_not_take_one_more" {
  command = plan

  variables {
    database       = { max_connections = 1000 }
    function_sizes = { movies_list = { max_instances = 99 } }
  }

  expect_failures = [google_compute_subnetwork.functions]
}

run "one_more_takes_the_next_larger_subnet" {
  command = plan

  variables {
    database       = { max_connections = 1000 }
    function_sizes = { movies_list = { max_instances = 99 } }
    subnet_cidr    = "10.20.0.0/22"
  }

  assert {
    condition     = local.addresses_needed == 512 + 4
    error_message = "Addresses are reserved by 16, and counted were ${local.addresses_needed}"
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
