# With private_network, the database has no public address: functions reach it through a subnet
# (direct VPC egress), and it reaches the subnet through a peering with Google's own network.

resource "google_compute_network" "main" {
  count = var.private_network ? 1 : 0

  #checkov:skip=CKV2_GCP_18:No machine listens in it: functions only go out, and what nobody allows to come in is denied
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

  # Google holds the connection for days after the database is gone, and so its deletion fails:
  # hashicorp/terraform-provider-google#16275. Left alone, the peering would keep the network; it is
  # removed only in a teardown, as a database that lives would lose its way:
  # https://github.com/GoogleCloudPlatform/magic-modules/pull/18476
  deletion_policy = var.teardown == null ? "ABANDON" : "REMOVE_PEERING"
  # Built again within these days, the range is another than the one that Google still holds:
  # https://github.com/GoogleCloudPlatform/cluster-toolkit/pull/4744
  update_on_creation_fail = true
}
