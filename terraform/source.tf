# The zips that functions are built from, and the account that builds them.

resource "google_storage_bucket" "source" {
  #checkov:skip=CKV_GCP_62:The objects are our own source, written by the deployer alone: its audit log tells who and when
  name                        = "${var.project_id}-${var.prefix}-source"
  location                    = var.region
  force_destroy               = true # holds nothing that the repository does not
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
      num_newer_versions = 1
      with_state         = "ARCHIVED"
    }
  }

  versioning {
    enabled = true
  }

  depends_on = [time_sleep.services]
}

resource "google_artifact_registry_repository" "functions" {
  #checkov:skip=CKV_GCP_84:The images are built from this repository and hold no data: Google's key serves, unless kms_key names another
  location      = var.region
  repository_id = "${var.prefix}-functions"
  description   = "Images that the functions' source is built into"
  format        = "DOCKER"
  kms_key_name  = var.kms_key

  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = 5 # what a roll-back may ask for
    }
  }
  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "2592000s"
    }
  }

  lifecycle {
    ignore_changes = [kms_key_name] # it keeps the one that it was made with
  }

  depends_on = [time_sleep.services]
}

resource "google_service_account" "build" {
  account_id   = "${var.prefix}-build"
  display_name = "Builds the functions' images"

  depends_on = [time_sleep.services]
}

# Cloud Functions copies a zip into a bucket of its own before the build reads it: hence the project.
resource "google_project_iam_member" "build" {
  for_each = toset(["roles/logging.logWriter", "roles/storage.objectViewer"])

  project = var.project_id
  role    = each.key
  member  = google_service_account.build.member
}

resource "google_artifact_registry_repository_iam_member" "build" {
  location   = google_artifact_registry_repository.functions.location
  repository = google_artifact_registry_repository.functions.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}

# A build that begins before its account's roles have spread fails (iam.tf tells how long that takes).
resource "time_sleep" "build_permissions" {
  create_duration = "120s"

  depends_on = [
    google_artifact_registry_repository_iam_member.build,
    google_project_iam_member.build,
  ]
}
