output "files" {
  description = "Where each file of the zip is, from the repository's root, by its path in the zip"
  value       = local.files
}

output "hash" {
  description = "SHA-256 over the paths and contents of these files"
  value       = local.hash
}
