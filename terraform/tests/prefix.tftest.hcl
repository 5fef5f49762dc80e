# Guards that two of these can live in one project: that with the default prefix each name is what it was
# (another one would be another resource, without the old one's data), that with another every name is
# another, and that the plan refuses what an account cannot be called. tests/terraform/test_prefix.py
# compares every name that is planned.

mock_provider "archive" {}
mock_provider "google" {}
mock_provider "time" {}

# Its zips need not be made for each of these plans.
override_module {
  target = module.function

  outputs = {
    deployed = {}
    service  = "a-function"
    url      = "https://a-function.example.com"
  }
}

variables {
  domain               = "api.example.com"
  omdb_api_key_version = 2
  pipeline             = { branch = ".*", repository = "projects/p-tests/locations/europe-west1/connections/c/repositories/r" }
  project_id           = "p-tests"
  region               = "europe-west1"
}

run "by_default_functions_are_called_as_ever" {
  command = plan

  assert {
    condition = alltrue([
      for name, account in google_service_account.function :
      account.account_id == "fn-${replace(name, "_", "-")}" && local._services[name] == replace(name, "_", "-")
    ])
    error_message = "A function, or its account, would be made anew"
  }

  assert {
    condition = toset(concat(
      [google_sql_database_instance.main.name, google_compute_network.main[0].name, google_monitoring_custom_service.main.service_id],
      [google_storage_bucket.source.name, google_storage_bucket.plans[0].name, google_logging_metric.main["omdb_failed"].name],
      values(google_secret_manager_secret.main)[*].secret_id,
      )) == toset([
      "movies-dev", "movies", "p-tests-movies-source", "p-tests-movies-plans", "movies/omdb_failed",
      "movies-admin-password", "movies-omdb-api-key", "movies-token-private-key",
      "movies-token-public-key",
    ])
    error_message = "What holds data would be made anew"
  }

  assert {
    condition     = local._log_metric.omdb_failed == "logging_googleapis_com:user_movies_omdb_failed{monitored_resource=\"cloud_run_revision\"}"
    error_message = "Alerts look for another metric than there is"
  }
}

run "with_another_prefix_of_the_greatest_length_functions_are_called_and_watched_by_that_name" {
  command = plan

  variables {
    prefix = "fourteen-lett1"
  }

  assert {
    condition = alltrue([
      for name, account in google_service_account.function :
      account.account_id == "fourteen-lett1-${replace(name, "_", "-")}" && local._services[name] == account.account_id
    ])
    error_message = "A function, or its account, would be the other one's"
  }

  assert {
    condition     = local.database_grants.movies_list.user == "fourteen-lett1-movies-list@p-tests.iam" && google_sql_user.function["movies_list"].name == "fourteen-lett1-movies-list@p-tests.iam"
    error_message = "Rights in the database go to an account that there is not"
  }

  assert {
    condition     = google_logging_metric.main["omdb_failed"].name == "fourteen_lett1/omdb_failed" && local._log_metric.omdb_failed == "logging_googleapis_com:user_fourteen_lett1_omdb_failed{monitored_resource=\"cloud_run_revision\"}"
    error_message = "Alerts look for another metric than there is"
  }

  assert {
    condition     = strcontains(google_logging_metric.main["omdb_failed"].filter, "\"fourteen-lett1-movies-import\"") && !strcontains(google_logging_metric.main["omdb_failed"].filter, "\"movies-import\"")
    error_message = "The other one's log lines are counted, or ours are not"
  }

  assert {
    condition     = strcontains(local.alerts.import_stopped.query, "service_name=\"fourteen-lett1-movies-import\"") && strcontains(local._all, "fourteen-lett1-login|") && google_compute_region_network_endpoint_group.function["movies_list"].cloud_run[0].service == "fourteen-lett1-movies-list"
    error_message = "An alert or the load balancer asks the other one's functions"
  }

  assert {
    condition = toset(concat(
      values(google_compute_global_address.api)[*].name,
      values(google_compute_global_forwarding_rule.http)[*].name,
      values(google_compute_global_forwarding_rule.https)[*].name,
    )) == toset(["fourteen-lett1-api", "fourteen-lett1-api-ipv6", "fourteen-lett1-http", "fourteen-lett1-http-ipv6", "fourteen-lett1-https", "fourteen-lett1-https-ipv6"])
    error_message = "Addresses and rules are called after something else"
  }

  assert {
    condition     = length(google_service_account.function["movies_get_many"].account_id) == 30
    error_message = "This is not the limit"
  }
}

run "an_account_of_thirty_one_characters_is_refused" {
  command = plan

  variables {
    prefix = "fifteen-letter1"
  }

  expect_failures = [google_service_account.function]
}

run "a_prefix_of_twenty_characters_is_taken" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    prefix = "twenty-characters-20"
  }
}

run "a_prefix_of_twenty_one_characters_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    prefix = "twenty-one-letters-21"
  }

  expect_failures = [var.prefix]
}

run "a_prefix_of_two_characters_is_taken" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    prefix = "f2"
  }
}

run "a_prefix_of_one_character_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    prefix = "f"
  }

  expect_failures = [var.prefix]
}

run "a_prefix_that_begins_with_a_digit_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    prefix = "2films"
  }

  expect_failures = [var.prefix]
}

run "a_prefix_with_a_hyphen_last_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    prefix = "films-"
  }

  expect_failures = [var.prefix]
}

run "a_prefix_with_an_underscore_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    prefix = "films_2"
  }

  expect_failures = [var.prefix]
}

run "the_prefix_that_accounts_have_by_default_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    prefix = "fn"
  }

  expect_failures = [var.prefix]
}
