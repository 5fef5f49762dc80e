# Guards the database's settings: combinations that the API would refuse after ten minutes, or that it
# would take and that lose data or let strangers in.

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

run "by_default_it_is_encrypted_protected_and_backed_up" {
  command = plan

  assert {
    condition     = google_sql_database_instance.main.settings[0].ip_configuration[0].ssl_mode == "TRUSTED_CLIENT_CERTIFICATE_REQUIRED" && google_sql_database_instance.main.settings[0].connector_enforcement == "REQUIRED"
    error_message = "A connection without a certificate is taken"
  }

  assert {
    condition     = one([for flag in google_sql_database_instance.main.settings[0].database_flags : flag.value if flag.name == "cloudsql.iam_authentication"]) == "on"
    error_message = "IAM login is off"
  }

  assert {
    condition     = google_sql_database_instance.main.deletion_protection && google_sql_database_instance.main.settings[0].deletion_protection_enabled
    error_message = "One of the two deletion protections is off"
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].backup_configuration[0].enabled && google_sql_database_instance.main.settings[0].backup_configuration[0].point_in_time_recovery_enabled
    error_message = "No backups, or no point-in-time recovery"
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].edition == "ENTERPRISE" && google_sql_database_instance.main.database_version == "POSTGRES_18"
    error_message = "Another edition or version than the tests run on"
  }

  assert {
    condition     = !anytrue([for flag in google_sql_database_instance.main.settings[0].database_flags : strcontains(flag.name, "pgaudit")])
    error_message = "pgAudit is half there: the flag without the extension and pgaudit.log records nothing"
  }

  assert {
    condition     = { for flag in google_sql_database_instance.main.settings[0].database_flags : flag.name => flag.value if contains(["log_connections", "log_statement"], flag.name) } == { log_connections = "on", log_statement = "ddl" }
    error_message = "The runbook reads in Postgres's log who connected and who changed the schema"
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].backup_configuration[0].transaction_log_retention_days == 7
    error_message = "It keeps other than seven days, the most that ENTERPRISE can"
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].backup_configuration[0].location == "eu"
    error_message = "They are in ${google_sql_database_instance.main.settings[0].backup_configuration[0].location}"
  }

  assert {
    condition     = length(google_sql_database_instance.main.settings[0].deny_maintenance_period) == 0
    error_message = "Maintenance is put off for ever"
  }

  assert {
    condition     = google_service_networking_connection.database[0].deletion_policy == "ABANDON"
    error_message = "A database that lives could lose its way"
  }
}

run "high_availability_without_backups_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database = { high_availability = true, point_in_time_recovery = false }
  }

  expect_failures = [var.database]
}

run "point_in_time_recovery_without_backups_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database = { backups = false }
  }

  expect_failures = [var.database]
}

run "a_tier_of_another_edition_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database = { edition = "ENTERPRISE_PLUS", tier = "db-custom-2-7680" }
  }

  expect_failures = [var.database]
}

run "a_large_database_is_a_few_switches_and_american_backups_stay_in_america" {
  command = plan

  variables {
    database = { edition = "ENTERPRISE_PLUS", high_availability = true, tier = "db-perf-optimized-N-2" }
    region   = "us-central1"
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].tier == "db-perf-optimized-N-2"
    error_message = "The tier was not taken over"
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].availability_type == "REGIONAL"
    error_message = "high_availability does not make it REGIONAL"
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].backup_configuration[0].location == "us"
    error_message = "They are in ${google_sql_database_instance.main.settings[0].backup_configuration[0].location}"
  }
}

run "an_eighth_day_of_logs_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database = { retained_backups = 8, transaction_log_days = 8 }
  }

  expect_failures = [var.database]
}

run "memory_that_no_custom_tier_has_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database = { tier = "db-custom-2-7681" }
  }

  expect_failures = [var.database]
}

run "a_continent_that_is_no_location_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database = { backup_location = "europe" }
  }

  expect_failures = [var.database]
}

run "no_maintenance_falls_into_the_period_that_is_named_and_asian_backups_stay_in_asia" {
  command = plan

  variables {
    database = { no_maintenance = { from = "11-20", to = "01-06" } }
    region   = "asia-northeast1"
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].deny_maintenance_period[0].start_date == "11-20" && google_sql_database_instance.main.settings[0].deny_maintenance_period[0].end_date == "01-06"
    error_message = "The period is another"
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].backup_configuration[0].location == "asia"
    error_message = "They are in ${google_sql_database_instance.main.settings[0].backup_configuration[0].location}"
  }
}

run "ninety_days_without_maintenance_are_taken" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database = { no_maintenance = { from = "2026-11-01", to = "2027-01-30" } }
  }
}

run "ninety_one_days_without_maintenance_are_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database = { no_maintenance = { from = "2026-11-01", to = "2027-01-31" } }
  }

  expect_failures = [var.database]
}

run "ninety_days_each_year_are_taken" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database = { no_maintenance = { from = "11-01", to = "01-30" } }
  }
}

run "ninety_one_days_each_year_are_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database = { no_maintenance = { from = "11-01", to = "01-31" } }
  }

  expect_failures = [var.database]
}

run "a_period_that_ends_before_it_begins_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database = { no_maintenance = { from = "2026-12-01", to = "2026-11-01" } }
  }

  expect_failures = [var.database]
}

run "a_period_that_begins_in_a_year_and_ends_in_every_one_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database = { no_maintenance = { from = "2026-12-01", to = "01-01" } }
  }

  expect_failures = [var.database]
}

run "prod_cannot_be_left_unprotected" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    deletion_protection = false
    environment         = "prod"
  }

  expect_failures = [var.deletion_protection]
}

run "a_teardown_takes_off_both_protections_and_keeps_the_backups_even_in_one_country" {
  command = plan

  variables {
    database    = { backup_location = "europe-west2" }
    environment = "prod"
    region      = "europe-west2"
    teardown    = "movies-tests"
  }

  assert {
    condition     = !google_sql_database_instance.main.deletion_protection && !google_sql_database_instance.main.settings[0].deletion_protection_enabled
    error_message = "One of the two deletion protections is on: a destroy would fail"
  }

  assert {
    condition     = alltrue([for secret in google_secret_manager_secret.main : !secret.deletion_protection])
    error_message = "A secret is protected: a destroy would fail"
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].retain_backups_on_delete && google_sql_database_instance.main.settings[0].final_backup_config[0].enabled
    error_message = "The data would go with the instance"
  }

  assert {
    condition     = google_service_networking_connection.database[0].deletion_policy == "REMOVE_PEERING"
    error_message = "The peering would keep the network"
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].backup_configuration[0].location == "europe-west2"
    error_message = "They are in ${google_sql_database_instance.main.settings[0].backup_configuration[0].location}"
  }
}

run "what_is_unprotected_leaves_no_backup_and_those_of_canada_stay_there" {
  command = plan

  variables {
    deletion_protection = false
    region              = "northamerica-northeast1"
  }

  assert {
    condition     = !google_sql_database_instance.main.settings[0].retain_backups_on_delete && !google_sql_database_instance.main.settings[0].final_backup_config[0].enabled
    error_message = "Backups of a throw-away database would be paid for"
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].backup_configuration[0].location == "northamerica-northeast1"
    error_message = "They are in ${google_sql_database_instance.main.settings[0].backup_configuration[0].location}"
  }
}

run "a_teardown_of_another_project_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    teardown = "movies-others"
  }

  expect_failures = [var.teardown]
}
