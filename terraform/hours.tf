# With database.working_hours, the database is stopped every evening and started every morning, by the
# Cloud SQL API itself: https://cloud.google.com/sql/docs/postgres/start-stop-restart-instance
# Alerts that a stopped database would raise rest meanwhile (monitoring.tf).

locals {
  database_switches = {
    for verb, switch in {
      start = { hour = try(var.database.working_hours.start, 0), policy = "ALWAYS" }
      stop  = { hour = try(var.database.working_hours.stop, 0), policy = "NEVER" }
    } : verb => switch if var.database.working_hours != null
  }
}

resource "google_service_account" "hours" {
  count = var.database.working_hours == null ? 0 : 1

  account_id   = "${var.prefix}-hours"
  display_name = "Starts and stops the database"

  depends_on = [time_sleep.services]
}

resource "google_project_iam_member" "hours" {
  count = var.database.working_hours == null ? 0 : 1

  #checkov:skip=CKV_GCP_42:It starts and stops the instance, and there is none in prod; it may not delete it: https://cloud.google.com/sql/docs/postgres/iam-roles
  project = var.project_id
  role    = "roles/cloudsql.editor"
  member  = "serviceAccount:${google_service_account.hours[0].account_id}@${local._account_domain}"
}

resource "google_cloud_scheduler_job" "hours" {
  for_each = local.database_switches

  name        = "${var.prefix}-database-${each.key}"
  region      = var.region
  description = "Sets the database's activation policy to ${each.value.policy}"
  schedule    = "0 ${each.value.hour} * * *"
  time_zone   = "Etc/UTC"

  http_target {
    body        = base64encode(jsonencode({ settings = { activationPolicy = each.value.policy } }))
    headers     = { "Content-Type" = "application/json" }
    http_method = "PATCH"
    uri         = "https://sqladmin.googleapis.com/v1/projects/${var.project_id}/instances/${google_sql_database_instance.main.name}"

    oauth_token {
      service_account_email = "${google_service_account.hours[0].account_id}@${local._account_domain}"
    }
  }

  # A backup or another operation that is under way refuses it for a while.
  retry_config {
    max_backoff_duration = "600s"
    min_backoff_duration = "60s"
    retry_count          = 5
  }
}
