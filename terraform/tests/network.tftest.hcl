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

  assert {
    # Cloud Run's own limit is 240 seconds, the last try takes 10, and the start itself a few.
    condition     = tonumber(local.settings.database.DATABASE_WAIT_SECONDS) >= 60 && tonumber(local.settings.database.DATABASE_WAIT_SECONDS) <= 200
    error_message = "An instance opens its port before its network is there, or is ended while it waits"
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

  assert {
    condition     = local.settings.database.DATABASE_WAIT_SECONDS == "0"
    error_message = "A start waits for a network that there is not"
  }
}

run "a_subnet_of_128_addresses_is_large_enough" {
  command = plan

  variables {
    subnet_cidr = "10.20.0.0/25"
  }

  assert {
    condition     = google_compute_subnetwork.functions[0].ip_cidr_range == "10.20.0.0/25"
    error_message = "The range was not taken over"
  }
}

run "as_many_instances_as_a_subnet_has_addresses_for_can_be_planned" {
  command = plan

  variables {
    database       = { max_connections = 1000 }
    function_sizes = { brew_coffee = { max_instances = 50 }, login = { max_instances = 15 } }
    subnet_cidr    = "10.20.0.0/25"
  }

  assert {
    condition     = local.addresses_needed == 28 * 4 + 4
    error_message = "brew_coffee was counted, or this boundary moved: needed are ${local.addresses_needed}"
  }
}

run "an_instance_more_cannot_be_planned" {
  command = plan

  variables {
    database       = { max_connections = 1000 }
    function_sizes = { login = { max_instances = 16 } }
    subnet_cidr    = "10.20.0.0/25"
  }

  expect_failures = [google_compute_subnetwork.functions]
}

run "the_next_larger_subnet_takes_it" {
  command = plan

  variables {
    database       = { max_connections = 1000 }
    function_sizes = { login = { max_instances = 16 } }
    subnet_cidr    = "10.20.0.0/24"
  }

  assert {
    condition     = local.addresses_needed == 128 + 4
    error_message = "Addresses are reserved by 16, and counted were ${local.addresses_needed}"
  }
}

run "the_default_subnet_takes_sixty_instances" {
  command = plan

  variables {
    database       = { max_connections = 1000 }
    function_sizes = { movies_list = { max_instances = 48 } }
  }

  assert {
    condition     = local.addresses_needed == 240 + 4
    error_message = "Counted ${local.addresses_needed}"
  }
}

run "the_default_subnet_does_not_take_one_more" {
  command = plan

  variables {
    database       = { max_connections = 1000 }
    function_sizes = { movies_list = { max_instances = 49 } }
  }

  expect_failures = [google_compute_subnetwork.functions]
}

run "without_a_network_no_address_is_needed" {
  command = plan

  variables {
    database        = { max_connections = 1000 }
    function_sizes  = { movies_list = { max_instances = 49 } }
    private_network = false
  }

  assert {
    condition     = length(google_compute_subnetwork.functions) == 0
    error_message = "There is a subnet"
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
