# What builds this environment, as an account of its own: a push plans, each plan starts a build that
# applies it (in prod once a person has approved), and once a day the environment is compared with
# what was applied last.

resource "google_storage_bucket" "plans" {
  count = var.pipeline == null ? 0 : 1

  #checkov:skip=CKV_GCP_62:Written by the deployer alone: its audit log tells who and when
  name                        = "${var.project_id}-${var.prefix}-plans"
  location                    = var.region
  force_destroy               = true
  public_access_prevention    = "enforced"
  uniform_bucket_level_access = true

  dynamic "encryption" {
    for_each = var.kms_key[*]

    content {
      default_kms_key_name = encryption.value
    }
  }

  # Neither the lock nor what was applied last: these are as old as they are. By the ends of their
  # names, as plans have not always been in plans/.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 90
      matches_suffix = ["/movies.tfplan", "/plan.tar.gz", "/plan.txt"]
    }
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 90
      with_state                 = "ARCHIVED"
    }
  }

  versioning {
    enabled = true
  }

  depends_on = [time_sleep.services]
}

locals {
  # Migrates dev, and has what compares an environment with what was applied.
  main_branch = "main"

  # Triggers that only another build or the scheduler starts.
  started_triggers = var.pipeline == null ? {} : {
    apply = {
      approval    = var.pipeline.approval_required
      description = "Apply a plan, migrate, smoke test; started by the build that planned"
    }
    drift = {
      approval    = false
      description = "Compare the environment with what was applied"
    }
  }
}

resource "google_cloudbuild_trigger" "main" {
  count = var.pipeline == null ? 0 : 1

  name            = "${var.prefix}-${var.environment}"
  description     = "Test, plan, offer the plan"
  location        = var.region
  filename        = "cloudbuild.yaml"
  service_account = google_service_account.deployer.id

  repository_event_config {
    repository = var.pipeline.repository

    push {
      branch = var.pipeline.branch
    }
  }

  substitutions = {
    _APPLY_TRIGGER = google_cloudbuild_trigger.started["apply"].trigger_id
    _APPROVAL      = tostring(var.pipeline.approval_required)
    _ENVIRONMENT   = var.environment
    _PLANS_BUCKET  = google_storage_bucket.plans[0].name
    _REPOSITORY    = var.pipeline.repository
  }

  depends_on = [
    google_project_iam_member.deployer,
    google_project_iam_member.deployer_grants,
    google_service_account_iam_member.deployer_acts_as,
  ]
}

resource "google_cloudbuild_trigger" "started" {
  for_each = local.started_triggers

  name            = "${var.prefix}-${var.environment}-${each.key}"
  description     = each.value.description
  location        = var.region
  service_account = google_service_account.deployer.id

  approval_config {
    approval_required = each.value.approval
  }

  # Without a revision: the file is the one of the commit that is built.
  # https://cloud.google.com/build/docs/api/reference/rest/v1/projects.triggers#GitFileSource
  git_file_source {
    path       = "terraform/pipeline/${each.key}.yaml"
    repository = var.pipeline.repository
    repo_type  = "GITHUB"
  }

  source_to_build {
    ref        = "refs/heads/${local.main_branch}"
    repository = var.pipeline.repository
    repo_type  = "GITHUB"
  }

  # Who starts it adds the plan to what it applies.
  substitutions = merge(
    { _ENVIRONMENT = var.environment, _PLANS_BUCKET = google_storage_bucket.plans[0].name },
    each.key == "apply" ? { _REPOSITORY = var.pipeline.repository } : {},
  )

  depends_on = [
    google_project_iam_member.deployer,
    google_project_iam_member.deployer_grants,
    google_service_account_iam_member.deployer_acts_as,
  ]
}

# As the deployer, who may start builds and act as itself, which is what this takes:
# https://cloud.google.com/build/docs/schedule-builds
resource "google_cloud_scheduler_job" "drift" {
  count = var.pipeline == null ? 0 : 1

  name        = "${var.prefix}-drift"
  region      = var.region
  description = "Starts the build that compares the environment with what was applied"
  schedule    = "17 ${try(var.database.working_hours.start + 1, 4)} * * *" # a stopped database would be a difference
  time_zone   = "Etc/UTC"

  http_target {
    body        = base64encode(jsonencode({ source = { branchName = local.main_branch } }))
    headers     = { "Content-Type" = "application/json" }
    http_method = "POST"
    uri         = "https://cloudbuild.googleapis.com/v1/projects/${var.project_id}/locations/${var.region}/triggers/${google_cloudbuild_trigger.started["drift"].trigger_id}:run"

    oauth_token {
      service_account_email = local.deployer
    }
  }

  retry_config {
    retry_count = 2
  }

  depends_on = [google_service_account_iam_member.deployer_acts_as]
}
