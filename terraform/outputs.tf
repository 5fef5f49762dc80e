output "address" {
  description = "The load balancer's IP address, which the domain's A record has to name; null without a domain"
  value       = one(google_compute_global_address.api[*].address)
}

output "admin_password_command" {
  description = "Prints the first administrator's password"
  value       = "gcloud secrets versions access latest --project=${var.project_id} --secret=${local.secret_ids.ADMIN_PASSWORD}"
}

output "base_url" {
  description = "Where all public routes are; null without a domain"
  value       = var.domain == null ? null : "https://${var.domain}"
}

output "connection_budget" {
  description = "Database connections that all instances together may open, and how many there are"
  value = {
    available = var.database.max_connections
    needed    = local.connections_needed
  }
}

output "database_connection_name" {
  description = "The instance, as connectors and gcloud call it"
  value       = local.database_connection_name
}

output "deployer" {
  description = "The account that the pipeline runs as and that alone may invoke migrate"
  value       = local.deployer
}

output "functions" {
  description = "What is deployed, by function"
  value       = { for name, function in module.function : name => function.deployed }
}

output "scheduler" {
  description = "The account that the import is invoked as"
  value       = local.scheduler
}

output "urls" {
  description = "Each function's own URL"
  value       = { for name, function in module.function : name => function.url }
}
