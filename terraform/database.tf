locals {
  database_connection_name = join(":", [
    google_sql_database_instance.main.project,
    google_sql_database_instance.main.region,
    google_sql_database_instance.main.name,
  ])

  # Terraform asks the state, not the variable, whether it may destroy: hence a switch that is applied first.
  is_protected = var.deletion_protection && var.teardown == null

  # Postgres knows a service account by its address without the last part.
  database_users = {
    for name in keys(local.database_functions) : name => trimsuffix(local.accounts[name], ".gserviceaccount.com")
  }

  # What the migration grants: to which account, and which rights.
  database_grants = {
    for name, function in local.database_functions :
    name => { rights = function.rights, user = local.database_users[name] } if function.rights != "owner"
  }

  # The connection budget: what all instances together may open, and what is left for people, for
  # Cloud SQL itself and for the moment in which an old revision still drains. Both revisions keep their
  # least instances then, whatever there is to do: each has its own limits.
  # https://cloud.google.com/run/docs/configuring/min-instances
  connections_needed = sum(concat(
    [var.database.reserved_connections],
    [for function in local.database_functions : (function.max_instances + function.min_instances) * function.connections],
  ))
  connections_over = local.connections_needed - var.database.max_connections

  # A multi-region has two places or more, and takes backups alone:
  # https://cloud.google.com/sql/docs/postgres/locations#location-mr
  # Elsewhere (Canada, South America, Australia, ...) the nearest one is another country's: there they
  # stay in the region. So they do with a key of our own, without whose region nothing reads them.
  _multi_regions = { asia = "asia", europe = "eu", us = "us" }
  backup_location = coalesce(
    var.database.backup_location,
    var.kms_key == null ? lookup(local._multi_regions, split("-", var.region)[0], var.region) : var.region,
  )
}

resource "google_sql_database_instance" "main" {
  #checkov:skip=CKV_GCP_14:Backups are a variable, on by default; high availability and point-in-time recovery demand them
  #checkov:skip=CKV_GCP_79:Postgres 18 is newer than the check
  #checkov:skip=CKV_GCP_57:Statements hold their parameters, which belong in no log; query insights shows the slow ones
  #checkov:skip=CKV_GCP_110:The flag alone records nothing; who may write what is narrow by role, and what functions do is in their logs
  #checkov:skip=CKV_GCP_60:Without private_network there is a public address, but no network is authorised: only the connector gets in
  #checkov:skip=CKV2_GCP_20:This is Postgres, whose point-in-time recovery is a setting of its own
  name                = "${var.prefix}-${var.environment}"
  project             = var.project_id
  region              = var.region
  database_version    = var.database.version
  deletion_protection = local.is_protected # Terraform's; settings hold the API's
  encryption_key_name = var.kms_key

  settings {
    # With working_hours, too: an apply by night starts it, as the migration that follows needs it, and
    # the next evening stops it again. A plan by night works (hashicorp/terraform-provider-google#7810)
    # and shows this; users and databases change only while it runs (#11382).
    activation_policy     = "ALWAYS"
    availability_type     = var.database.high_availability ? "REGIONAL" : "ZONAL"
    connector_enforcement = "REQUIRED"
    # Statements by IAM, also from outside the private network; only roles that operators have permit it:
    # https://cloud.google.com/sql/docs/postgres/executesql-instance
    data_api_access             = length(var.database_operators) > 0 ? "ALLOW_DATA_API" : "DISALLOW_DATA_API"
    deletion_protection_enabled = local.is_protected
    disk_autoresize             = true
    disk_autoresize_limit       = var.database.disk_limit_gb
    disk_size                   = var.database.disk_size_gb
    disk_type                   = "PD_SSD"
    # Unset, Postgres 16 and later become ENTERPRISE_PLUS, which has no small tiers:
    # hashicorp/terraform-provider-google#20498
    edition                  = var.database.edition
    retain_backups_on_delete = var.deletion_protection
    tier                     = var.database.tier

    backup_configuration {
      enabled                        = var.database.backups
      location                       = local.backup_location
      point_in_time_recovery_enabled = var.database.point_in_time_recovery
      # None is taken of an instance that is stopped:
      # https://cloud.google.com/sql/docs/postgres/backup-recovery/backups
      start_time                     = try(format("%02d:00", var.database.working_hours.start + 1), "02:00")
      transaction_log_retention_days = var.database.transaction_log_days

      backup_retention_settings {
        retained_backups = var.database.retained_backups
        retention_unit   = "COUNT"
      }
    }

    # Taken as the instance is deleted, beside the backups that retain_backups_on_delete keeps.
    final_backup_config {
      enabled        = var.deletion_protection
      retention_days = 30
    }

    # Not a dynamic block over a map: what checks them reads no further than the text.
    database_flags {
      name  = "cloudsql.iam_authentication"
      value = "on"
    }
    database_flags {
      name  = "log_checkpoints"
      value = "on"
    }
    database_flags {
      name  = "log_connections"
      value = "on"
    }
    database_flags {
      name  = "log_disconnections"
      value = "on"
    }
    database_flags {
      name  = "log_duration"
      value = "off"
    }
    database_flags {
      name  = "log_hostname"
      value = "off"
    }
    database_flags {
      name  = "log_lock_waits"
      value = "on"
    }
    database_flags {
      name  = "log_min_duration_statement"
      value = "-1"
    }
    database_flags {
      name  = "log_min_error_statement"
      value = "error"
    }
    database_flags {
      name  = "log_min_messages"
      value = "warning"
    }
    database_flags {
      name  = "log_statement"
      value = "ddl"
    }
    database_flags {
      name  = "log_temp_files"
      value = "0"
    }
    database_flags {
      name  = "max_connections"
      value = tostring(var.database.max_connections)
    }

    dynamic "deny_maintenance_period" {
      for_each = var.database.no_maintenance[*]

      content {
        start_date = deny_maintenance_period.value.from
        end_date   = deny_maintenance_period.value.to
        time       = "00:00:00"
      }
    }

    insights_config {
      query_insights_enabled  = true
      query_string_length     = 1024
      record_application_tags = true
      record_client_address   = false
    }

    ip_configuration {
      ipv4_enabled    = !var.private_network
      private_network = one(google_compute_network.main[*].id)
      ssl_mode        = "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"
    }

    maintenance_window {
      day          = var.database.maintenance.day
      hour         = var.database.maintenance.hour
      update_track = var.environment == "prod" ? "stable" : "canary"
    }
  }

  lifecycle {
    # A database that is there keeps its key: another would mean another database, and its data gone.
    ignore_changes = [encryption_key_name]

    precondition {
      condition = local.connections_over <= 0
      error_message = format(
        "The functions may open %d database connections (%s, and %d in reserve), but max_connections is %d: %d too many. Lower max_instances, min_instances or connections in function_sizes, or raise database.max_connections as far as the tier's memory allows.",
        local.connections_needed,
        join(", ", [for name, function in local.database_functions : "${name} ${function.max_instances}${function.min_instances == 0 ? "" : " + ${function.min_instances}"} x ${function.connections}"]),
        var.database.reserved_connections,
        var.database.max_connections,
        local.connections_over,
      )
    }
  }

  # The peering has to stand before an instance can have an address in it.
  depends_on = [google_service_networking_connection.database, time_sleep.services]
}

check "kms_key" {
  assert {
    condition     = var.kms_key == null ? true : google_sql_database_instance.main.encryption_key_name == var.kms_key
    error_message = "The database was made without this kms_key, and stays so: a key is given when a database is made. See \"A key of your own\" in docs/deployment.md."
  }
}

resource "google_sql_database" "main" {
  name     = "movies"
  instance = google_sql_database_instance.main.name

  # Who has tables in it keeps it; the instance's end is its end.
  deletion_policy = "ABANDON"
}

resource "google_sql_user" "function" {
  for_each = local.database_functions

  name     = local.database_users[each.key]
  instance = google_sql_database_instance.main.name
  type     = "CLOUD_IAM_SERVICE_ACCOUNT"
  # A new IAM user may do nothing: the migration grants to all but its own, which has to exist first.
  database_roles = each.value.rights == "owner" ? ["cloudsqlsuperuser"] : null

  # A user who owns objects cannot be dropped.
  deletion_policy = "ABANDON"

  depends_on = [google_project_iam_member.database]
}
