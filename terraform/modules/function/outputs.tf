output "deployed" {
  description = "What is deployed, as far as it is known before the apply"
  value = {
    account         = google_cloudfunctions2_function.main.service_config[0].service_account_email
    concurrency     = google_cloudfunctions2_function.main.service_config[0].max_instance_request_concurrency
    entry_point     = google_cloudfunctions2_function.main.build_config[0].entry_point
    ingress         = google_cloudfunctions2_function.main.service_config[0].ingress_settings
    invoker         = google_cloud_run_v2_service_iam_member.invoker.member
    max_instances   = google_cloudfunctions2_function.main.service_config[0].max_instance_count
    min_instances   = google_cloudfunctions2_function.main.service_config[0].min_instance_count
    object          = google_storage_bucket_object.main.name
    private_egress  = google_cloudfunctions2_function.main.service_config[0].direct_vpc_egress
    secrets         = google_cloudfunctions2_function.main.service_config[0].secret_environment_variables[*].key
    timeout_seconds = google_cloudfunctions2_function.main.service_config[0].timeout_seconds
    variables       = google_cloudfunctions2_function.main.service_config[0].environment_variables
  }
}

output "service" {
  description = "Name of the Cloud Run service underneath"
  value       = google_cloudfunctions2_function.main.name
}

output "url" {
  description = "The function's own URL"
  value       = google_cloudfunctions2_function.main.service_config[0].uri
}
