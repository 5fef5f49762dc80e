# Uptime checks, objectives, alerts. An alert's documentation links the runbook's section of its own
# name: server_errors is docs/runbook.md#server-errors.
#
# What a query may be: https://cloud.google.com/stackdriver/docs/managed-prometheus/promql-differences
# How a metric is called there: https://cloud.google.com/monitoring/promql/promql-mapping

locals {
  probes = { for name, function in local.functions : name => function.probe if function.probe != null }

  # Where the probe of a function goes: its own host, while that answers, or the domain.
  probe_hosts = {
    for name in keys(local.probes) :
    name => var.domain_only ? var.domain : trimprefix(module.function[name].url, "https://")
  }

  # Reads that everybody may make are those whose probe is answered, and not refused.
  _reads  = [for name, function in local.public_functions : local._services[name] if contains(try(function.probe.statuses, []), 200)]
  _writes = [for name, function in local.public_functions : local._services[name] if !contains(local._reads, local._services[name])]

  _requests_of = {
    for kind, services in { reads = local._reads, writes = local._writes } :
    kind => "resource.type=\"cloud_run_revision\" resource.labels.service_name=one_of(${join(",", [for service in services : "\"${service}\""])})"
  }

  # Good requests among all, over 28 days. An answer that OMDb's faults spoil counts against writes.
  availability_objectives = {
    reads  = var.objectives.reads_available
    writes = var.objectives.writes_available
  }

  # What each objective demands, and of which requests.
  goals = {
    reads_available  = { goal = var.objectives.reads_available, requests = "reads" }
    reads_fast       = { goal = var.objectives.reads_fast, requests = "reads" }
    writes_available = { goal = var.objectives.writes_available, requests = "writes" }
  }

  # A budget of errors that would be spent within two days (14.4 times too fast), or within five;
  # the short window ends the alert soon after the fault has ended.
  burn_rates = {
    fast = { rate = 14.4, long = "3600s", severity = "CRITICAL", short = "300s" }
    slow = { rate = 6, long = "21600s", severity = "WARNING", short = "1800s" }
  }

  slos = merge(
    { for kind, slo in google_monitoring_slo.availability : "${kind}_available" => slo.name },
    { reads_fast = google_monitoring_slo.latency.name },
  )

  # If all requests are bad, a budget burns 1 / (1 - goal) times too fast: an alert for more than that
  # could never fire. Nor is one made where the database is stopped every night, which spends the
  # budget on purpose. And as one bad request of few is a high rate, the long window has to hold so
  # many requests that the rate means five bad ones; with fewer, server_errors watches.
  burn_alerts = {
    for pair in setproduct(keys(local.goals), keys(local.burn_rates)) :
    "${pair[0]}_${pair[1]}" => {
      burn     = local.burn_rates[pair[1]]
      enough   = ceil(5 / (local.burn_rates[pair[1]].rate * (1 - local.goals[pair[0]].goal)))
      requests = local.goals[pair[0]].requests
      slo      = pair[0]
    } if local.burn_rates[pair[1]].rate * (1 - local.goals[pair[0]].goal) < 1 && var.database.working_hours == null
  }

  _log_metric = { for name in keys(local.log_metrics) : name => "logging_googleapis_com:user_${local._metrics}_${name}{monitored_resource=\"cloud_run_revision\"}" }
  _platform_metric = {
    for name, metric in local.platform_metrics : name => "logging_googleapis_com:user_${local._metrics}_${name}{monitored_resource=\"${metric.resource}\"}"
  }
  _database = "monitored_resource=\"cloudsql_database\",database_id=\"${var.project_id}:${google_sql_database_instance.main.name}\""
  _all      = "monitored_resource=\"cloud_run_revision\",service_name=~\"${join("|", values(local._services))}\""

  # While the database is stopped, and for half an hour after it is started: its start takes minutes,
  # and what is looked back at is a quarter of an hour.
  _database_is_up = format(
    "(hour() * 60 + minute() >= %d and hour() < %d)",
    try(var.database.working_hours.start, 0) * 60 + 30,
    try(var.database.working_hours.stop, 24),
  )
  resting_alerts = var.database.working_hours == null ? [] : ["database_unreachable", "import_stopped", "server_errors", "uptime"]

  # Alerts on imports are for those that run by themselves.
  imports_are_watched = (
    contains(keys(local.functions), "movies_import") && !var.import_paused && anytrue([for schedule in var.import_schedules : !schedule.paused])
  )

  # No alert waits for more than a day, and one that rests by night begins its wait anew each morning.
  _silence_is_watched = alltrue([
    local.imports_are_watched,
    local.import_pause_minutes + 60 <= 24 * 60,
    var.import_silence_hours < try(var.database.working_hours.stop - var.database.working_hours.start, 25),
  ])

  # Conditions in PromQL: what is found, for as long as `lasts`, raises the alert.
  alerts = merge(
    {
      database_connections = {
        title    = "The database runs out of connections"
        lasts    = "300s"
        query    = "sum(cloudsql_googleapis_com:database_postgresql_num_backends{${local._database}}) > ${floor(var.database.max_connections * 0.8)}"
        severity = "ERROR"
      }
      database_cpu = {
        title    = "The database's CPU is busy"
        lasts    = "900s"
        query    = "avg(cloudsql_googleapis_com:database_cpu_utilization{${local._database}}) > 0.85"
        severity = "WARNING"
      }
      database_disk = {
        title    = "The database's disk nears the limit that it may grow to"
        lasts    = "900s"
        query    = "max(cloudsql_googleapis_com:database_disk_bytes_used{${local._database}}) > ${floor(var.database.disk_limit_gb * 0.8)} * 1024 * 1024 * 1024"
        severity = "ERROR"
      }
      database_unreachable = {
        title    = "Functions cannot use the database"
        lasts    = "60s"
        query    = "sum(increase(${local._log_metric.database_unreachable}[5m])) > 5"
        severity = "CRITICAL"
      }
      login_lockouts = {
        title    = "Many logins are locked out"
        lasts    = "0s"
        query    = "sum(increase(${local._log_metric.login_throttled}[10m])) > 50"
        severity = "WARNING"
      }
      omdb_key_refused = {
        title    = "OMDb refuses our key"
        lasts    = "0s"
        query    = "sum(increase(${local._log_metric.omdb_key_refused}[10m])) > 0"
        severity = "ERROR"
      }
      refresh_token_reused = {
        title    = "A refresh token was used twice: one of two who have it is a thief"
        lasts    = "0s"
        query    = "sum(increase(${local._log_metric.refresh_token_reused}[10m])) > 0"
        severity = "ERROR"
      }
      server_errors = {
        title    = "A function answers with faults of its own"
        lasts    = "300s"
        query    = "sum by (service_name) (increase(run_googleapis_com:request_count{${local._all},response_code_class=\"5xx\"}[10m])) > 5 and sum by (service_name) (increase(run_googleapis_com:request_count{${local._all},response_code_class=\"5xx\"}[10m])) / sum by (service_name) (increase(run_googleapis_com:request_count{${local._all}}[10m])) > 0.05"
        severity = "ERROR"
      }
      unforeseen_faults = {
        title    = "A function met a fault that nobody foresaw"
        lasts    = "0s"
        query    = "sum by (function) (increase(${local._log_metric.unforeseen_fault}[10m])) > 0"
        severity = "ERROR"
      }
      unusable_password_hash = {
        title    = "A stored password hash is unusable"
        lasts    = "0s"
        query    = "sum(increase(${local._log_metric.unusable_password_hash}[10m])) > 0"
        severity = "CRITICAL"
      }
    },
    {
      for name, alert in {
        uptime = {
          title    = "A function does not answer from outside"
          lasts    = "300s"
          query    = "avg by (check_id) (avg_over_time(monitoring_googleapis_com:uptime_check_check_passed{monitored_resource=\"uptime_url\",check_id=~\"${join("|", [for check in google_monitoring_uptime_check_config.function : check.uptime_check_id])}\"}[15m])) < 0.5"
          severity = "CRITICAL"
        }
      } : name => alert if length(local.probes) > 0
    },
    {
      for name, alert in {
        backup_failed = {
          title    = "The database was not backed up"
          lasts    = "0s"
          query    = "sum(increase(${try(local._platform_metric.backup_failed, "")}[1h])) > 0"
          severity = "ERROR"
        }
        build_failed = {
          title    = "A build of this environment failed, or found drift"
          lasts    = "0s"
          query    = "sum(increase(${try(local._platform_metric.build_failed, "")}[10m])) > 0"
          severity = "WARNING"
        }
      } : name => alert if contains(keys(local.platform_metrics), name)
    },
    {
      for name, alert in {
        import_parked = {
          title    = "The import gives up on many movies"
          lasts    = "0s"
          query    = "sum(increase(${local._log_metric.import_parked}[1h])) > 20"
          severity = "WARNING"
        }
        # Three runs, however rare they are: a query may look back for months
        # (https://docs.cloud.google.com/monitoring/alerts/using-promql).
        import_stalled = {
          title    = "The import waits for OMDb, run after run"
          lasts    = "0s"
          query    = "sum(increase(${local._log_metric.import_stalled}[${max(var.import_silence_hours * 60, 3 * local.import_pause_minutes + 30)}m])) > 2"
          severity = "WARNING"
        }
      } : name => alert if local.imports_are_watched
    },
    {
      for name, alert in {
        # Half an hour without a tick that was answered, for as long as the rest of the silence lasts. A
        # new alert, be it of a new service or of an import that was paused, waits for as long: what has
        # not been true for `duration` is pending, not firing
        # (https://docs.cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alertPolicies).
        # Answers, not lines of the log: a tick that finds nothing to do logs no run. Without a request,
        # a counter may have no series that could be zero.
        import_stopped = {
          title    = "No import has ended for hours"
          lasts    = "${var.import_silence_hours * 3600 - 1800}s"
          query    = "(sum(increase(run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\",service_name=\"${try(local._services.movies_import, "")}\",response_code_class=\"2xx\"}[30m])) or vector(0)) < 0.5"
          severity = "ERROR"
        }
      } : name => alert if local._silence_is_watched
    },
  )
}

resource "google_monitoring_notification_channel" "main" {
  for_each = var.notification_channels

  display_name = "${var.prefix} ${each.key}"
  type         = each.value.type
  labels       = each.value.labels

  depends_on = [time_sleep.services]
}

resource "google_monitoring_uptime_check_config" "function" {
  for_each = local.probes

  display_name = "${var.prefix}-${local._hyphenated[each.key]}"
  # A million checks of a project's are free, and each of some five places makes its own: so each of
  # thirty functions can be asked every ten minutes, but not every five.
  period           = "600s"
  selected_regions = ["ASIA_PACIFIC", "EUROPE", "USA"]
  timeout          = "10s"

  http_check {
    path           = each.value.path
    port           = 443
    request_method = "GET"
    use_ssl        = true
    validate_ssl   = true

    dynamic "accepted_response_status_codes" {
      for_each = each.value.statuses

      content {
        status_value = accepted_response_status_codes.value
      }
    }
  }

  monitored_resource {
    type = "uptime_url"
    labels = {
      host       = local.probe_hosts[each.key]
      project_id = var.project_id
    }
  }

  # Never create_before_destroy: all that it depends on would inherit it, and a function, the database
  # or a grant that has to be made anew would be made beside what is there, under the same name.
}

resource "google_monitoring_custom_service" "main" {
  service_id   = var.prefix
  display_name = title(var.prefix)

  depends_on = [time_sleep.services]
}

resource "google_monitoring_slo" "availability" {
  for_each = local.availability_objectives

  service             = google_monitoring_custom_service.main.service_id
  slo_id              = "${each.key}-available"
  display_name        = "${each.value * 100} % of ${each.key} are answered without a fault of ours"
  goal                = each.value
  rolling_period_days = 28

  request_based_sli {
    good_total_ratio {
      bad_service_filter   = "metric.type=\"run.googleapis.com/request_count\" ${local._requests_of[each.key]} metric.labels.response_code_class=\"5xx\""
      total_service_filter = "metric.type=\"run.googleapis.com/request_count\" ${local._requests_of[each.key]}"
    }
  }
}

resource "google_monitoring_slo" "latency" {
  service             = google_monitoring_custom_service.main.service_id
  slo_id              = "reads-fast"
  display_name        = "${var.objectives.reads_fast * 100} % of reads are answered within ${var.objectives.reads_fast_milliseconds} ms"
  goal                = var.objectives.reads_fast
  rolling_period_days = 28

  request_based_sli {
    distribution_cut {
      distribution_filter = "metric.type=\"run.googleapis.com/request_latencies\" ${local._requests_of.reads}"

      range {
        max = var.objectives.reads_fast_milliseconds
      }
    }
  }
}

resource "google_monitoring_alert_policy" "burn_rate" {
  for_each = local.burn_alerts

  display_name          = "${var.prefix}: the error budget of ${each.value.slo} burns"
  combiner              = "AND"
  notification_channels = [for channel in google_monitoring_notification_channel.main : channel.id]
  severity              = each.value.burn.severity

  dynamic "conditions" {
    for_each = { long = each.value.burn.long, short = each.value.burn.short }

    content {
      display_name = "${each.value.burn.rate} times too fast over ${conditions.value}"

      condition_threshold {
        comparison      = "COMPARISON_GT"
        duration        = "0s"
        filter          = "select_slo_burn_rate(\"${local.slos[each.value.slo]}\", \"${conditions.value}\")"
        threshold_value = each.value.burn.rate
      }
    }
  }

  conditions {
    display_name = "More than ${each.value.enough} requests over ${each.value.burn.long}"

    condition_threshold {
      comparison      = "COMPARISON_GT"
      duration        = "0s"
      filter          = "metric.type=\"run.googleapis.com/request_count\" ${local._requests_of[each.value.requests]}"
      threshold_value = each.value.enough

      aggregations {
        alignment_period     = each.value.burn.long
        cross_series_reducer = "REDUCE_SUM"
        per_series_aligner   = "ALIGN_SUM"
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    content   = "What to do: ${coalesce(var.runbook_url, "docs/runbook.md")}, section error-budget"
    mime_type = "text/markdown"

    dynamic "links" {
      for_each = var.runbook_url[*]

      content {
        display_name = "Runbook"
        url          = "${links.value}#error-budget"
      }
    }
  }
}

resource "google_monitoring_alert_policy" "main" {
  for_each = local.alerts

  display_name          = "${var.prefix}: ${each.value.title}"
  combiner              = "OR"
  notification_channels = [for channel in google_monitoring_notification_channel.main : channel.id]
  severity              = each.value.severity

  conditions {
    display_name = each.value.title

    condition_prometheus_query_language {
      # A metric that nothing has written to yet is unknown to it.
      disable_metric_validation = true
      duration                  = each.value.lasts
      evaluation_interval       = "60s"
      query                     = contains(local.resting_alerts, each.key) ? "(${each.value.query}) and on() ${local._database_is_up}" : each.value.query
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    content   = "What to do: ${coalesce(var.runbook_url, "docs/runbook.md")}, section ${replace(each.key, "_", "-")}"
    mime_type = "text/markdown"

    dynamic "links" {
      for_each = var.runbook_url[*]

      content {
        display_name = "Runbook"
        url          = "${links.value}#${replace(each.key, "_", "-")}"
      }
    }
  }

  lifecycle {
    precondition {
      condition     = each.key != "import_stopped" || var.import_silence_hours * 60 >= local.import_pause_minutes + 60
      error_message = "import_schedules pause for up to ${local.import_pause_minutes} minutes, so import_silence_hours has to be ${ceil((local.import_pause_minutes + 60) / 60)} or more: a pause is no silence, and a run takes time to end."
    }
  }

  depends_on = [google_logging_metric.main, google_logging_metric.platform]
}
