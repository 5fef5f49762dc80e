locals {
  services = toset(concat(
    [
      "artifactregistry.googleapis.com",
      "cloudbuild.googleapis.com",
      "cloudfunctions.googleapis.com",
      "cloudresourcemanager.googleapis.com",
      "cloudscheduler.googleapis.com",
      "iam.googleapis.com",
      "iamcredentials.googleapis.com",
      "logging.googleapis.com",
      "monitoring.googleapis.com",
      "run.googleapis.com",
      "secretmanager.googleapis.com",
      "sqladmin.googleapis.com",
      "storage.googleapis.com",
    ],
    var.budget == null ? [] : ["billingbudgets.googleapis.com", "cloudbilling.googleapis.com"],
    var.domain == null ? [] : ["certificatemanager.googleapis.com"],
    var.domain == null && !var.private_network ? [] : ["compute.googleapis.com"],
    local.has_door ? ["iap.googleapis.com"] : [],
    var.private_network ? ["servicenetworking.googleapis.com"] : [],
  ))
}

resource "google_project_service" "main" {
  for_each = local.services

  project            = var.project_id
  service            = each.key
  disable_on_destroy = false # others in the project may use it, too
}

# An API answers "has not been used before" for a while after it was enabled.
resource "time_sleep" "services" {
  create_duration = "60s"
  triggers        = { services = join(" ", local.services) }

  depends_on = [google_project_service.main]
}
