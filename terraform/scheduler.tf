# Ticks of the import. A tick that finds nothing to do, or a spent quota, ends at once and costs
# nothing; one that is killed is taken up by the next.

locals {
  # Without the function nothing ticks.
  import_timeout_seconds = try(local.functions.movies_import.timeout_seconds, 0)
}

resource "google_cloud_scheduler_job" "import" {
  for_each = { for name, schedule in var.import_schedules : name => schedule if contains(keys(local.functions), "movies_import") }

  name             = "movies-import-${each.key}"
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
