# One function: its zip, the build of it, and who may invoke it.

module "source" {
  source = "../source"

  name         = var.name
  root         = var.source_root
  ships_schema = var.ships_schema
}

data "archive_file" "main" {
  type        = "zip"
  output_path = "${var.source_root}/build/${var.name}-${substr(module.source.hash, 0, 16)}.zip"

  dynamic "source" {
    for_each = module.source.files

    content {
      filename = source.key
      content  = file("${var.source_root}/${source.value}")
    }
  }

  lifecycle {
    precondition {
      condition     = contains(keys(module.source.files), "main.py")
      error_message = "functions/${var.name} has a function.yaml, but no main.py."
    }
  }
}

resource "google_storage_bucket_object" "main" {
  # Without the hash in the name, a new zip deploys nothing: hashicorp/terraform-provider-google#1938
  name   = "${var.name}/${module.source.hash}.zip"
  bucket = var.build.bucket
  source = data.archive_file.main.output_path

  lifecycle {
    # The function is updated before the zip that it was built from goes.
    create_before_destroy = true
    # The same files make another zip on another machine; the name says whether they are the same.
    ignore_changes = [detect_md5hash, source, source_md5hash]
  }
}

resource "google_cloudfunctions2_function" "main" {
  name         = var.service
  project      = var.project_id
  location     = var.region
  description  = "functions/${var.name}"
  kms_key_name = var.kms_key

  build_config {
    docker_repository = var.build.repository
    entry_point       = var.name
    runtime           = "python313"
    service_account   = var.build.account

    source {
      storage_source {
        bucket = google_storage_bucket_object.main.bucket
        object = google_storage_bucket_object.main.name
      }
    }
  }

  service_config {
    #checkov:skip=CKV_GCP_124:A public API answers the internet; behind a domain only the load balancer reaches it, and private functions are closed by IAM
    all_traffic_on_latest_revision   = true
    available_cpu                    = var.size.cpu
    available_memory                 = var.size.memory
    direct_vpc_egress                = var.network == null ? null : "VPC_EGRESS_PRIVATE_RANGES_ONLY"
    environment_variables            = var.environment_variables
    ingress_settings                 = var.ingress
    max_instance_count               = var.size.max_instances
    max_instance_request_concurrency = var.size.concurrency
    min_instance_count               = var.size.min_instances
    service_account_email            = var.account
    timeout_seconds                  = var.size.timeout_seconds

    dynamic "direct_vpc_network_interface" {
      for_each = var.network == null ? [] : [var.network]

      content {
        subnetwork = direct_vpc_network_interface.value
      }
    }

    dynamic "secret_environment_variables" {
      for_each = var.secrets

      content {
        key        = secret_environment_variables.key
        project_id = secret_environment_variables.value.project
        secret     = secret_environment_variables.value.secret
        version    = secret_environment_variables.value.version
      }
    }
  }
}

# On the Cloud Run service underneath, as the function itself takes no run.invoker
# (hashicorp/terraform-provider-google#20320), and made anew with it, as it goes with it (#15264).
resource "google_cloud_run_v2_service_iam_member" "invoker" {
  #checkov:skip=CKV_GCP_102:Public endpoints are meant for everyone; which ones they are, each function.yaml's invoker says
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.main.name
  role     = "roles/run.invoker"
  member   = var.invoker

  lifecycle {
    replace_triggered_by = [google_cloudfunctions2_function.main.id]
  }
}
