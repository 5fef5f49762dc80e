# With private_network, the database has no public address: functions reach it through a subnet
# (direct VPC egress), and it reaches the subnet through a peering with Google's own network.

resource "google_compute_network" "main" {
  count = var.private_network ? 1 : 0

  #checkov:skip=CKV2_GCP_18:Functions only go out; the one rule in operators.tf lets IAP reach an operator's machine, and what no rule allows is denied
  name                    = "movies"
  auto_create_subnetworks = false

  depends_on = [time_sleep.services]
}

resource "google_compute_subnetwork" "functions" {
  count = var.private_network ? 1 : 0

  name                     = "movies-functions"
  ip_cidr_range            = var.subnet_cidr
  network                  = google_compute_network.main[0].id
  private_ip_google_access = true
  region                   = var.region

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

resource "google_compute_global_address" "database" {
  count = var.private_network ? 1 : 0

  name          = "movies-database"
  address_type  = "INTERNAL"
  network       = google_compute_network.main[0].id
  prefix_length = 20
  purpose       = "VPC_PEERING"
}

resource "google_service_networking_connection" "database" {
  count = var.private_network ? 1 : 0

  network                 = google_compute_network.main[0].id
  reserved_peering_ranges = [google_compute_global_address.database[0].name]
  service                 = "servicenetworking.googleapis.com"

  # Google holds the peering for days after the database is gone, and so a destroy would fail:
  # hashicorp/terraform-provider-google#16275
  deletion_policy = "ABANDON"
}
