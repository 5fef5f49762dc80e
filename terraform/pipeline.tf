# The trigger that builds this environment from cloudbuild.yaml, as an account of its own.

resource "google_storage_bucket" "plans" {
  count = var.pipeline == null ? 0 : 1

  #checkov:skip=CKV_GCP_62:Written by the deployer alone: its audit log tells who and when
  name                        = "${var.project_id}-movies-plans"
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

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = 90
    }
  }

  versioning {
    enabled = true
  }

  depends_on = [time_sleep.services]
}

resource "google_cloudbuild_trigger" "main" {
  count = var.pipeline == null ? 0 : 1

  name            = "movies-${var.environment}"
  description     = "Test, plan, apply, migrate, smoke test"
  location        = var.region
  filename        = "cloudbuild.yaml"
  service_account = google_service_account.deployer.id

  approval_config {
    approval_required = var.pipeline.approval_required
  }

  repository_event_config {
    repository = var.pipeline.repository

    push {
      branch = var.pipeline.branch
    }
  }

  substitutions = {
    _ENVIRONMENT  = var.environment
    _PLANS_BUCKET = google_storage_bucket.plans[0].name
  }

  depends_on = [
    google_project_iam_member.deployer,
    google_project_iam_member.deployer_grants,
    google_service_account_iam_member.deployer_acts_as,
  ]
}
