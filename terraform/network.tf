# With private_network, the database has no public address: the functions that use it reach it through a
# subnet (direct VPC egress), and it reaches the subnet through a peering with Google's own network.

locals {
  # An instance has two addresses. They are reserved in blocks of 16, and kept for up to 20 minutes
  # after the instance: during a deployment the old revision has its own beside those of the new one.
  # https://cloud.google.com/run/docs/configuring/vpc-direct-vpc#direct-vpc-ip-allocation
  # Four in each subnet are Google's: https://cloud.google.com/vpc/docs/subnets#unusable-ip-addresses-in-every-subnet
  _network_instances = sum(concat([0], [for function in local.database_functions : function.max_instances]))
  _subnet_prefix     = try(tonumber(split("/", var.subnet_cidr)[1]), 32) # what is no range is refused elsewhere
  _subnet_addresses  = pow(2, 32 - local._subnet_prefix)
  _needed_prefix     = 32 - ceil(log(local.addresses_needed, 2))

  addresses_needed = ceil(local._network_instances * 2 * 2 / 16) * 16 + 4
}

resource "google_compute_network" "main" {
  count = var.private_network ? 1 : 0

  #checkov:skip=CKV2_GCP_18:Functions only go out; the one rule in operators.tf lets IAP reach an operator's machine, and what no rule allows is denied
  name                    = var.prefix
  auto_create_subnetworks = false

  depends_on = [time_sleep.services]
}

resource "google_compute_subnetwork" "functions" {
  count = var.private_network ? 1 : 0

  name                     = "${var.prefix}-functions"
  ip_cidr_range            = var.subnet_cidr
  network                  = google_compute_network.main[0].id
  private_ip_google_access = true
  region                   = var.region

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "INCLUDE_ALL_METADATA"
  }

  lifecycle {
    precondition {
      condition = local.addresses_needed <= local._subnet_addresses
      error_message = format(
        "The functions that use the database may have %d instances, which need %d addresses during a deployment, but subnet_cidr %s has %d: %d too few. Take %s/%d or a larger range, or lower max_instances in function_sizes.",
        local._network_instances,
        local.addresses_needed,
        var.subnet_cidr,
        local._subnet_addresses,
        local.addresses_needed - local._subnet_addresses,
        cidrhost("${split("/", var.subnet_cidr)[0]}/${min(local._needed_prefix, local._subnet_prefix)}", 0),
        local._needed_prefix,
      )
    }
  }
}

resource "google_compute_global_address" "database" {
  count = var.private_network ? 1 : 0

  name          = "${var.prefix}-database"
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
