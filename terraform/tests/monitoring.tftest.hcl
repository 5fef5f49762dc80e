# Guards that nothing public goes unwatched, that each alert says where to read on and can fire, and that
# nobody is woken by what was meant: an import that is paused or has not ticked yet, a database that is
# stopped over night. And that a budget's warnings reach people, by a call that the API takes.

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

run "every_alert_links_the_runbook_and_reaches_every_channel" {
  command = plan

  variables {
    budget      = { amount = 50, billing_account = "012345-6789AB-CDEF01", currency = "EUR" }
    domain      = "movies.example.com"
    domain_only = true
    notification_channels = {
      mail  = { labels = { email_address = "oncall@example.com" }, type = "email" }
      pager = { labels = { number = "+15550100" }, type = "sms" }
    }
    runbook_url = "https://example.com/runbook.md"
  }

  assert {
    condition     = alltrue([for name, alert in google_monitoring_alert_policy.main : alert.documentation[0].links[0].url == "https://example.com/runbook.md#${replace(name, "_", "-")}"])
    error_message = "An alert links no section of its own"
  }

  assert {
    condition     = alltrue([for alert in google_monitoring_alert_policy.burn_rate : alert.documentation[0].links[0].url == "https://example.com/runbook.md#error-budget"])
    error_message = "A burn-rate alert links no section"
  }

  assert {
    condition     = length(google_monitoring_alert_policy.burn_rate) == 6 && alltrue([for alert in google_monitoring_alert_policy.burn_rate : alert.combiner == "AND" && length(alert.conditions) == 3])
    error_message = "A burn rate is judged by one window, or by however few requests"
  }

  assert {
    condition     = toset([for name in keys(google_monitoring_alert_policy.main) : name if startswith(name, "import_")]) == toset(["import_parked", "import_stalled", "import_stopped"])
    error_message = "Watched are ${join(", ", keys(google_monitoring_alert_policy.main))}"
  }

  assert {
    condition     = alltrue([for metric in google_logging_metric.main : strcontains(metric.filter, "\"movies-import\"") && strcontains(metric.filter, "resource.type=\"cloud_run_revision\"")])
    error_message = "A log metric counts other services' lines"
  }

  assert {
    condition     = toset(keys(google_monitoring_uptime_check_config.function)) == toset(keys(local.public_functions))
    error_message = "Watched are ${join(", ", keys(google_monitoring_uptime_check_config.function))}"
  }

  assert {
    condition     = alltrue([for check in google_monitoring_uptime_check_config.function : check.monitored_resource[0].labels.host == "movies.example.com"])
    error_message = "A check goes past the domain, where nothing answers it"
  }

  assert {
    condition     = toset(local._reads) == toset(["api-docs", "movies-get", "movies-get-many", "movies-list", "movies-random", "movies-search"])
    error_message = "The objectives of reads count ${join(", ", local._reads)}"
  }

  assert {
    condition     = toset(concat(local._reads, local._writes)) == toset([for name in keys(local.public_functions) : replace(name, "_", "-")])
    error_message = "A public function counts for no objective, or as both"
  }

  assert {
    condition     = alltrue([for alert in concat(values(google_monitoring_alert_policy.main), values(google_monitoring_alert_policy.burn_rate)) : length(alert.notification_channels) == 2])
    error_message = "An alert reaches nobody"
  }

  assert {
    condition     = join(", ", local.budget_channels) == "mail" && length(google_billing_budget.main[0].all_updates_rule) == 1
    error_message = "It goes to ${join(", ", local.budget_channels)}"
  }
}

run "a_paused_import_or_a_burn_rate_that_no_fault_can_reach_alerts_nobody_but_a_budget_does" {
  command = plan

  variables {
    budget        = { amount = 50, billing_account = "012345-6789AB-CDEF01" }
    import_paused = true
    objectives    = { reads_fast = 0.93, writes_available = 0.83 }
  }

  assert {
    condition     = length([for name in keys(google_monitoring_alert_policy.main) : name if startswith(name, "import_")]) == 0
    error_message = "An import that rests would be reported as stopped"
  }

  assert {
    condition     = toset(keys(google_monitoring_alert_policy.burn_rate)) == toset(["reads_available_fast", "reads_available_slow", "reads_fast_slow"])
    error_message = "Alerts are ${join(", ", keys(google_monitoring_alert_policy.burn_rate))}"
  }

  assert {
    condition     = google_billing_budget.main[0].amount[0].specified_amount[0].units == "50" && contains(google_billing_budget.main[0].threshold_rules[*].threshold_percent, 0.5)
    error_message = "The budget is another, or warns only when it is spent"
  }

  assert {
    condition     = length(google_billing_budget.main[0].all_updates_rule) == 0
    error_message = "There is a rule without a channel, which the API refuses"
  }

  assert {
    condition     = length(setsubtract(["billingbudgets.googleapis.com", "cloudbilling.googleapis.com"], keys(google_project_service.main))) == 0
    error_message = "An API that a budget needs is off"
  }
}

run "by_default_everything_is_watched_day_and_night" {
  command = plan

  assert {
    condition     = alltrue([for alert in concat(values(google_monitoring_alert_policy.main), values(google_monitoring_alert_policy.burn_rate)) : length(alert.documentation[0].links) == 0])
    error_message = "A link leads nowhere"
  }

  assert {
    condition     = google_monitoring_alert_policy.main["server_errors"].documentation[0].content == "What to do: docs/runbook.md, section server-errors"
    error_message = "Without a link nobody knows where to read on: ${google_monitoring_alert_policy.main["server_errors"].documentation[0].content}"
  }

  assert {
    condition     = google_monitoring_alert_policy.main["import_stopped"].conditions[0].condition_prometheus_query_language[0].duration == "9000s"
    error_message = "It is raised ${google_monitoring_alert_policy.main["import_stopped"].conditions[0].condition_prometheus_query_language[0].duration} after the first apply, where half an hour less than three hours are granted"
  }

  assert {
    condition     = google_monitoring_alert_policy.main["import_stopped"].conditions[0].condition_prometheus_query_language[0].query == "(sum(increase(run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\",service_name=\"movies-import\",response_code_class=\"2xx\"}[30m])) or vector(0)) < 0.5"
    error_message = "What is asked for is ${google_monitoring_alert_policy.main["import_stopped"].conditions[0].condition_prometheus_query_language[0].query}"
  }

  assert {
    condition     = { for name, alert in local.burn_alerts : name => alert.enough } == { reads_available_fast = 348, reads_available_slow = 834, reads_fast_fast = 7, reads_fast_slow = 17, writes_available_fast = 35, writes_available_slow = 84 }
    error_message = "Judged are ${jsonencode({ for name, alert in local.burn_alerts : name => alert.enough })} requests or more"
  }

  assert {
    condition     = alltrue([for name, alert in google_monitoring_alert_policy.burn_rate : alert.conditions[2].condition_threshold[0].aggregations[0].alignment_period == (endswith(name, "_fast") ? "3600s" : "21600s")])
    error_message = "Requests are counted over another window than the rate"
  }

  assert {
    condition     = length(local.resting_alerts) == 0 && alltrue([for name, alert in google_monitoring_alert_policy.main : !strcontains(alert.conditions[0].condition_prometheus_query_language[0].query, "hour()") if name != "uptime"])
    error_message = "An alert rests by night"
  }

  assert {
    condition     = length(google_billing_budget.main) == 0
    error_message = "There is a budget of nobody's"
  }
}

run "a_relative_address_of_the_runbook_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    runbook_url = "docs/runbook.md"
  }

  expect_failures = [var.runbook_url]
}

run "an_address_of_the_runbook_without_encryption_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    runbook_url = "http://example.com/runbook.md"
  }

  expect_failures = [var.runbook_url]
}

run "a_silence_of_an_hour_more_than_the_pause_a_burn_rate_in_reach_and_six_channels_are_taken" {
  command = plan

  variables {
    import_schedules      = { rare = { schedule = "0 */2 * * *" } }
    import_silence_hours  = 3
    notification_channels = { for name in ["a", "b", "c", "d", "e", "f"] : name => { labels = { email_address = "${name}@example.com" }, type = "email" } }
    objectives            = { reads_fast = 0.931, writes_available = 0.84 }
  }

  assert {
    condition     = contains(keys(google_monitoring_alert_policy.main), "import_stopped")
    error_message = "Nobody hears of an import that has stopped"
  }

  assert {
    condition     = toset(keys(google_monitoring_alert_policy.burn_rate)) == toset(["reads_available_fast", "reads_available_slow", "reads_fast_fast", "reads_fast_slow", "writes_available_slow"])
    error_message = "Alerts are ${join(", ", keys(google_monitoring_alert_policy.burn_rate))}"
  }

  assert {
    condition     = length(google_monitoring_notification_channel.main) == 6
    error_message = "Somebody is not told"
  }
}

run "a_silence_hardly_longer_than_the_pause_and_a_sixth_channel_of_a_budget_are_refused" {
  command = plan

  variables {
    budget                = { amount = 50, billing_account = "012345-6789AB-CDEF01" }
    import_schedules      = { rare = { schedule = "0 */2 * * *" } }
    import_silence_hours  = 2
    notification_channels = { for name in ["a", "b", "c", "d", "e", "f"] : name => { labels = { email_address = "${name}@example.com" }, type = "email" } }
  }

  expect_failures = [google_billing_budget.main, google_monitoring_alert_policy.main]
}

run "a_pause_of_23_hours_is_watched_and_a_budget_takes_five_channels" {
  command = plan

  variables {
    budget                = { amount = 50, billing_account = "012345-6789AB-CDEF01" }
    import_schedules      = { rare = { schedule = "0 0,1 * * *" } }
    import_silence_hours  = 24
    notification_channels = { for name in ["a", "b", "c", "d", "e"] : name => { labels = { email_address = "${name}@example.com" }, type = "email" } }
  }

  assert {
    condition     = contains(keys(google_monitoring_alert_policy.main), "import_stopped")
    error_message = "Nobody hears of an import that has stopped"
  }

  assert {
    condition     = length(local.budget_channels) == 5
    error_message = "It goes to ${join(", ", local.budget_channels)}"
  }
}

run "an_import_that_rests_for_longer_is_not_reported_as_stopped_but_as_stalled" {
  command = plan

  variables {
    import_schedules = { daily = { schedule = "0 4 * * *" } }
  }

  assert {
    condition     = toset([for name in keys(google_monitoring_alert_policy.main) : name if startswith(name, "import_")]) == toset(["import_parked", "import_stalled"])
    error_message = "Watched are ${join(", ", keys(google_monitoring_alert_policy.main))}"
  }

  assert {
    condition     = strcontains(local.alerts.import_stalled.query, "[4350m]")
    error_message = "Three runs never fall into ${local.alerts.import_stalled.query}"
  }
}

run "a_database_that_is_stopped_over_night_wakes_nobody_and_a_shorter_silence_is_raised" {
  command = plan

  variables {
    database             = { working_hours = { start = 6, stop = 12 } }
    import_silence_hours = 5
  }

  assert {
    condition     = length(google_monitoring_alert_policy.burn_rate) == 0
    error_message = "The nights burn an error budget"
  }

  assert {
    condition     = toset(local.resting_alerts) == setintersection(local.resting_alerts, keys(google_monitoring_alert_policy.main))
    error_message = "An alert that rests is none"
  }

  assert {
    condition     = google_monitoring_alert_policy.main["database_unreachable"].conditions[0].condition_prometheus_query_language[0].query == "(${local.alerts.database_unreachable.query}) and on() (hour() * 60 + minute() >= 390 and hour() < 12)"
    error_message = "At night it would fire: ${google_monitoring_alert_policy.main["database_unreachable"].conditions[0].condition_prometheus_query_language[0].query}"
  }

  assert {
    condition     = google_monitoring_alert_policy.main["unusable_password_hash"].conditions[0].condition_prometheus_query_language[0].query == local.alerts.unusable_password_hash.query
    error_message = "An intrusion is no news at night"
  }

  assert {
    condition     = contains(keys(google_monitoring_alert_policy.main), "import_stopped")
    error_message = "Nobody hears of an import that has stopped"
  }
}

run "a_silence_as_long_as_the_working_hours_can_never_be_raised" {
  command = plan

  variables {
    database             = { working_hours = { start = 6, stop = 12 } }
    import_silence_hours = 6
  }

  assert {
    condition     = !contains(keys(google_monitoring_alert_policy.main), "import_stopped")
    error_message = "An alert is made that rests before it can fire"
  }
}

run "a_budget_in_no_currency_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    budget = { amount = 50, billing_account = "012345-6789AB-CDEF01", currency = "euros" }
  }

  expect_failures = [var.budget]
}

run "functions_log_the_warnings_that_alerts_count" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    log_level = "WARNING"
  }
}

run "a_log_without_warnings_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    log_level = "ERROR"
  }

  expect_failures = [var.log_level]
}

run "a_malformed_billing_account_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    budget = { amount = 50, billing_account = "billingAccounts/012345-6789AB-CDEF01" }
  }

  expect_failures = [var.budget]
}
