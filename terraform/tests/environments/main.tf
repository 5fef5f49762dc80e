# Reads the environments' variables, so that tests plan what is deployed.

terraform {
  required_version = ">= 1.11, < 2"

  required_providers {
    terraform = {
      source = "terraform.io/builtin/terraform"
    }
  }
}

output "values" {
  description = "The variables of each environment, by its name"
  value = {
    for name in ["dev", "staging", "prod"] :
    name => provider::terraform::decode_tfvars(file("${path.module}/../../environments/${name}/terraform.tfvars"))
  }
}
