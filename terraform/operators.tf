# People who look after the database by hand: docs/runbook.md says how they come in, and
# ../lib/schema/operators.py what they may do there. They log in as themselves, by IAM.

locals {
  # As IAM writes them: "user:ana@example.com". Postgres knows them by the address alone, in lower
  # case, and a group's members through the group:
  # https://cloud.google.com/sql/docs/postgres/add-manage-iam-users
  operators = { for member in var.database_operators : split(":", member)[1] => split(":", member)[0] }

  # A machine in the network that their connections go through, for as long as one is wanted.
  has_door = var.private_network && length(var.database_operators) > 0

  operator_roles = length(var.database_operators) == 0 ? [] : concat(
    [
      "roles/cloudsql.client",
      "roles/cloudsql.instanceUser",
      # https://cloud.google.com/sql/docs/postgres/manage-data-using-studio
      "roles/cloudsql.studioUser",
    ],
    # To make that machine and to reach it:
    # https://cloud.google.com/iap/docs/using-tcp-forwarding
    local.has_door ? ["roles/compute.instanceAdmin.v1", "roles/iap.tunnelResourceAccessor"] : [],
  )

  operator_members = {
    for pair in setproduct(var.database_operators, local.operator_roles) :
    "${pair[0]} ${pair[1]}" => { member = pair[0], role = pair[1] }
  }
}

resource "google_sql_user" "operator" {
  for_each = local.operators

  name     = each.key
  instance = google_sql_database_instance.main.name
  type     = each.value == "group" ? "CLOUD_IAM_GROUP" : "CLOUD_IAM_USER"

  depends_on = [google_project_iam_member.operator]
}

resource "google_project_iam_member" "operator" {
  for_each = local.operator_members

  #checkov:skip=CKV_GCP_42:Machines are made without an account of their own, so whoever makes one gains no more than a way into the network
  #checkov:skip=CKV_GCP_49:No role here is over accounts
  project = var.project_id
  role    = each.value.role
  member  = each.value.member
}

# IAP's own addresses, from which it hands on what it has let in:
# https://cloud.google.com/iap/docs/using-tcp-forwarding
resource "google_compute_firewall" "door" {
  count = local.has_door ? 1 : 0

  name          = "${var.prefix}-door"
  description   = "SSH to machines with this tag, for whom IAP lets in"
  direction     = "INGRESS"
  network       = google_compute_network.main[0].id
  source_ranges = ["35.235.240.0/20"]
  target_tags   = ["${var.prefix}-door"]

  allow {
    ports    = ["22"]
    protocol = "tcp"
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}
