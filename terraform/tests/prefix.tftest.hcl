# Guards that two of these can live in one project: that with the default prefix each name is what it was
# (another one would be another resource, without the old one's data), that with another every name is
# another, and that Google takes each account's. tests/terraform/test_prefix.py
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
      "movies-admin-password", "movies-omdb-api-key", "movies-refresh-key",
      "movies-token-private-key", "movies-token-public-key",
    ])
    error_message = "What holds data would be made anew"
  }

  assert {
    condition     = local._log_metric.omdb_failed == "logging_googleapis_com:user_movies_omdb_failed{monitored_resource=\"cloud_run_revision\"}"
    error_message = "Alerts look for another metric than there is"
  }
}

run "with_another_prefix_functions_are_called_and_watched_by_that_name" {
  command = plan

  variables {
    prefix = "films"
  }

  assert {
    condition = alltrue([
      for name, account in google_service_account.function :
      account.account_id == "films-${replace(name, "_", "-")}" && local._services[name] == account.account_id
    ])
    error_message = "A function, or its account, would be the other one's"
  }

  assert {
    condition     = local.database_grants.movies_list.user == "films-movies-list@p-tests.iam" && google_sql_user.function["movies_list"].name == "films-movies-list@p-tests.iam"
    error_message = "Rights in the database go to an account that there is not"
  }

  assert {
    condition     = google_logging_metric.main["omdb_failed"].name == "films/omdb_failed" && local._log_metric.omdb_failed == "logging_googleapis_com:user_films_omdb_failed{monitored_resource=\"cloud_run_revision\"}"
    error_message = "Alerts look for another metric than there is"
  }

  assert {
    condition     = strcontains(google_logging_metric.main["omdb_failed"].filter, "\"films-movies-import\"") && !strcontains(google_logging_metric.main["omdb_failed"].filter, "\"movies-import\"")
    error_message = "The other one's log lines are counted, or ours are not"
  }

  assert {
    condition     = strcontains(local.alerts.import_stopped.query, "service_name=\"films-movies-import\"") && strcontains(local._all, "films-login|") && google_compute_region_network_endpoint_group.function["movies_list"].cloud_run[0].service == "films-movies-list"
    error_message = "An alert or the load balancer asks the other one's functions"
  }

  assert {
    condition = toset(concat(
      values(google_compute_global_address.api)[*].name,
      values(google_compute_global_forwarding_rule.http)[*].name,
      values(google_compute_global_forwarding_rule.https)[*].name,
    )) == toset(["films-api", "films-api-ipv6", "films-http", "films-http-ipv6", "films-https", "films-https-ipv6"])
    error_message = "Addresses and rules are called after something else"
  }
}

run "an_account_of_thirty_characters_is_not_cut" {
  command = plan

  variables {
    prefix = "nine-lett"
  }

  assert {
    condition     = google_service_account.function["users_reset_password"].account_id == "nine-lett-users-reset-password"
    error_message = "An account that was there would be made anew: ${google_service_account.function["users_reset_password"].account_id}"
  }
}

run "a_prefix_of_twenty_characters_is_taken_and_cuts_what_an_account_has_too_many" {
  command = plan

  variables {
    prefix = "twenty-characters-20"
  }

  assert {
    condition     = alltrue([for account in google_service_account.function : can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", account.account_id))])
    error_message = "Google would refuse an account: ${join(", ", values(google_service_account.function)[*].account_id)}"
  }

  assert {
    condition     = length(distinct(values(google_service_account.function)[*].account_id)) == length(local.functions)
    error_message = "Two functions would share an account"
  }

  assert {
    condition = alltrue([
      for name, account in google_service_account.function :
      startswith(account.account_id, "twenty-characters-20-") && local.database_grants[name].user == "${account.account_id}@p-tests.iam" if contains(keys(local.database_grants), name)
    ])
    error_message = "Rights in the database go to an account that there is not"
  }

  assert {
    condition     = google_service_account.function["login"].account_id == "twenty-characters-20-login" && local._services.users_reset_password == "twenty-characters-20-users-reset-password"
    error_message = "What is short enough was cut as well"
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
