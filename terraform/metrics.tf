# What the functions log, counted. The texts are those of the log calls in ../lib: a test looks for
# each of them there.

locals {
  log_metrics = {
    database_unreachable = {
      messages = ["database unreachable", "database unavailable", "database fault"]
      where    = []
    }
    import_ended = {
      messages = ["import run ended"]
      where    = []
    }
    import_parked = {
      messages = ["import item parked"]
      where    = []
    }
    import_stalled = {
      messages = ["import stalled"]
      where    = []
    }
    import_stopped_by_quota = {
      messages = ["import stopped by quota"]
      where    = []
    }
    login_throttled = {
      messages = ["login throttled"]
      where    = []
    }
    omdb_failed = {
      messages = ["OMDb call failed"]
      where    = []
    }
    omdb_key_refused = {
      messages = ["OMDb call failed"]
      where    = ["jsonPayload.error_class=\"OmdbKeyRefused\""]
    }
    omdb_quota_spent = {
      messages = ["OMDb call failed"]
      where    = ["jsonPayload.error_class=\"OmdbQuotaExceeded\""]
    }
    refresh_token_reused = {
      messages = ["alarm: refresh token reused"]
      where    = []
    }
    unforeseen_fault = {
      messages = ["unforeseen fault", "unforeseen fault of a fetch"]
      where    = []
    }
    unusable_password_hash = {
      messages = ["alarm: a stored password hash is unusable"]
      where    = []
    }
  }

  # What Google writes about builds and backups, counted.
  platform_metrics = merge(
    var.pipeline == null ? {} : {
      # Cloud Build writes a build's status to its log as a line of its own when it ends (UpdateStatus
      # in github.com/GoogleCloudPlatform/cloud-build-local/blob/master/build/build.go). A build that
      # was cancelled is none that failed.
      build_failed = {
        resource = "build"
        where = [
          "resource.labels.build_trigger_id=(${join(" OR ", [for id in sort([for trigger in concat(google_cloudbuild_trigger.main, values(google_cloudbuild_trigger.started)) : trigger.trigger_id]) : "\"${id}\""])})",
          "textPayload=(\"ERROR\" OR \"TIMEOUT\")",
        ]
      }
    },
    !var.database.backups ? {} : {
      # https://cloud.google.com/sql/docs/postgres/backup-recovery/view-audit-logs-for-automated-backups
      # Each try that fails is written as STATUS_ATTEMPT_FAILED, and the day without a backup as this.
      backup_failed = {
        resource = "cloudsql_database"
        where = [
          "log_id(\"cloudaudit.googleapis.com/system_event\")",
          "resource.labels.database_id=\"${var.project_id}:${google_sql_database_instance.main.name}\"",
          "protoPayload.methodName=\"cloudsql.instances.automatedBackup\"",
          "protoPayload.metadata.windowStatus=\"STATUS_FAILED\"",
        ]
      }
    },
  )

  _quoted_services = join(" OR ", [for service in values(local._services) : "\"${service}\""])
}

resource "google_logging_metric" "main" {
  for_each = local.log_metrics

  name        = "${local._metrics}/${each.key}"
  description = "Log lines of the functions that say: ${join(", ", each.value.messages)}"

  filter = join("\n", concat(
    [
      "resource.type=\"cloud_run_revision\"",
      "resource.labels.service_name=(${local._quoted_services})",
      "jsonPayload.message=(${join(" OR ", [for message in each.value.messages : "\"${message}\""])})",
    ],
    each.value.where,
  ))

  label_extractors = {
    function = "EXTRACT(resource.labels.service_name)"
  }

  metric_descriptor {
    metric_kind = "DELTA"
    unit        = "1"
    value_type  = "INT64"

    labels {
      key         = "function"
      description = "The Cloud Run service"
    }
  }

  depends_on = [time_sleep.services]
}

resource "google_logging_metric" "platform" {
  for_each = local.platform_metrics

  name        = "${local._metrics}/${each.key}"
  description = "Log lines of Google's own: ${each.key}"
  filter      = join("\n", concat(["resource.type=\"${each.value.resource}\""], each.value.where))

  metric_descriptor {
    metric_kind = "DELTA"
    unit        = "1"
    value_type  = "INT64"
  }

  depends_on = [time_sleep.services]
}
