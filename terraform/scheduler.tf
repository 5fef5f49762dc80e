# Ticks of the import. A tick that finds nothing to do, or a spent quota, ends at once and costs
# nothing; one that is killed is taken up by the next.

locals {
  # Without the function nothing ticks.
  import_timeout_seconds = try(local.functions.movies_import.timeout_seconds, 0)

  # Schedules that tick every day, with what their first two fields mean written out: minutes, hours.
  _daily_schedules = {
    for name, schedule in var.import_schedules : name => [
      for index, last in [59, 23] : distinct(flatten([
        for part in split(",", regexall("\\S+", schedule.schedule)[index]) : range(
          try(tonumber(regex("^[0-9]+", part)), 0),
          try(tonumber(regex("-([0-9]+)", part)[0]), can(regex("^\\*|/", part)) ? last : tonumber(part), last) + 1,
          try(tonumber(regex("/([0-9]+)", part)[0]), 1),
        )
      ]))
    ] if !schedule.paused && slice(regexall("\\S+", schedule.schedule), 2, 5) == tolist(["*", "*", "*"])
  }

  # The minutes of a day at which they tick, in order, by time zone.
  _daily_ticks = {
    for zone in toset([for name in keys(local._daily_schedules) : var.import_schedules[name].time_zone]) : zone => [
      for tick in distinct(sort(flatten([
        for name, fields in local._daily_schedules : [
          for pair in setproduct(fields[1], fields[0]) : format("%04d", pair[0] * 60 + pair[1])
        ] if var.import_schedules[name].time_zone == zone
      ]))) : parseint(tick, 10)
    ]
  }

  # The longest pause between two of them; a week, if none ticks every day. What ticks by another time
  # zone or on some days only can but shorten it.
  import_pause_minutes = min(7 * 24 * 60, [
    for ticks in values(local._daily_ticks) : max([
      for index, tick in ticks : index == 0 ? tick + 24 * 60 - ticks[length(ticks) - 1] : tick - ticks[index - 1]
    ]...)
  ]...)
}

resource "google_cloud_scheduler_job" "import" {
  for_each = { for name, schedule in var.import_schedules : name => schedule if contains(keys(local.functions), "movies_import") }

  name             = "${var.prefix}-import-${each.key}"
  region           = var.region
  description      = "Invokes movies_import"
  paused           = var.import_paused || each.value.paused
  schedule         = each.value.schedule
  time_zone        = each.value.time_zone
  attempt_deadline = "${local.import_timeout_seconds + 60}s" # hears the function's own time-out

  http_target {
    body        = base64encode(each.value.body)
    headers     = { "Content-Type" = "application/json" }
    http_method = "POST"
    uri         = "${module.function["movies_import"].url}/movies.import"

    oidc_token {
      # The bare URL: by default it would be the whole URI, path included.
      audience              = module.function["movies_import"].url
      service_account_email = local.scheduler
    }
  }

  retry_config {
    max_backoff_duration = "600s"
    max_doublings        = 3
    min_backoff_duration = "60s"
    retry_count          = 2
  }

  lifecycle {
    precondition {
      condition     = local.import_timeout_seconds <= 1740
      error_message = "movies_import may take ${local.import_timeout_seconds} s, but Cloud Scheduler waits for 1800 s at most: lower its timeout_seconds to 1740 or less."
    }
  }
}
