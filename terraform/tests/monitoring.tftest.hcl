# Guards that nothing public goes unwatched, that each alert says where to read on, and that nobody is
# woken by an import that was paused on purpose.

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

run "every_public_function_is_watched_from_outside" {
  command = plan

  variables {
    domain      = "movies.example.com"
    domain_only = true
  }

  assert {
    condition     = toset(keys(google_monitoring_uptime_check_config.function)) == toset(keys(local.public_functions))
    error_message = "Watched are ${join(", ", keys(google_monitoring_uptime_check_config.function))}"
  }

  assert {
    condition     = alltrue([for check in google_monitoring_uptime_check_config.function : check.monitored_resource[0].labels.host == "movies.example.com"])
    error_message = "A check goes past the domain, where nothing answers it"
  }
}

run "every_alert_links_a_section_of_the_runbook_and_objectives_are_judged_by_two_windows" {
  command = plan

  variables {
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
    condition     = length(google_monitoring_alert_policy.burn_rate) == 6 && alltrue([for alert in google_monitoring_alert_policy.burn_rate : alert.combiner == "AND" && length(alert.conditions) == 2])
    error_message = "A burn rate is judged by one window"
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
    condition     = length(google_billing_budget.main) == 0
    error_message = "There is a budget of nobody's"
  }
}

run "a_paused_import_alerts_nobody" {
  command = plan

  variables {
    import_paused = true
  }

  assert {
    condition     = length([for name in keys(google_monitoring_alert_policy.main) : name if startswith(name, "import_")]) == 0
    error_message = "An import that rests would be reported as stopped"
  }
}

run "every_alert_reaches_every_channel" {
  command = plan

  variables {
    notification_channels = {
      mail  = { labels = { email_address = "oncall@example.com" }, type = "email" }
      pager = { labels = { number = "+15550100" }, type = "sms" }
    }
  }

  assert {
    condition     = alltrue([for alert in concat(values(google_monitoring_alert_policy.main), values(google_monitoring_alert_policy.burn_rate)) : length(alert.notification_channels) == 2])
    error_message = "An alert reaches nobody"
  }
}

run "a_budget_warns_before_it_is_spent" {
  command = plan

  variables {
    budget = { amount = 50, billing_account = "012345-6789AB-CDEF01" }
  }

  assert {
    condition     = google_billing_budget.main[0].amount[0].specified_amount[0].units == "50" && contains(google_billing_budget.main[0].threshold_rules[*].threshold_percent, 0.5)
    error_message = "The budget is another, or warns only when it is spent"
  }
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
