terraform {
  required_version = ">= 1.11, < 2"

  required_providers {
    archive = {
      source  = "hashicorp/archive"
      version = "~> 2.7"
    }
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.7"
    }
    time = {
      source  = "hashicorp/time"
      version = "~> 0.13"
    }
    tls = {
      source  = "hashicorp/tls"
      version = "~> 4.1"
    }
  }

  # Completed by -backend-config=environments/<environment>/backend.hcl
  backend "gcs" {}
}

provider "google" {
  project = var.project_id
  region  = var.region

  # A budget belongs to the billing account, and its API wants to know which project asks.
  billing_project       = var.project_id
  user_project_override = true

  default_labels = {
    environment = var.environment
    service     = var.prefix
  }
}
