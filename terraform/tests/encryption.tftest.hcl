# Guards the option of a key of one's own: it reaches all that is kept, in the form that each API takes,
# and without it nothing is other than it was. What it does to an environment that is there already,
# tests/terraform/test_changes.py tries.

mock_provider "archive" {}
mock_provider "google" {}
mock_provider "time" {}

# What a deployed function looks like from here; its zip need not be made for each of these plans.
override_module {
  target = module.function

  outputs = {
    deployed = {}
    service  = "a-function"
    url      = "https://a-function.example.com"
  }
}

variables {
  omdb_api_key_version = 2
  pipeline             = { branch = ".*", repository = "projects/movies-tests/locations/europe-west1/connections/github/repositories/movies" }
  project_id           = "movies-tests"
  region               = "europe-west1"
}

run "a_key_encrypts_all_that_is_kept" {
  command = plan

  variables {
    kms_key = "projects/keys/locations/europe-west1/keyRings/movies/cryptoKeys/movies"
  }

  assert {
    condition     = google_sql_database_instance.main.encryption_key_name == var.kms_key
    error_message = "The database is encrypted with ${google_sql_database_instance.main.encryption_key_name}"
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].backup_configuration[0].location == "europe-west1"
    error_message = "Backups are where their key is not"
  }

  assert {
    condition = alltrue([
      for secret in google_secret_manager_secret.main :
      length(secret.replication[0].auto) == 0 && one([for replica in secret.replication[0].user_managed[0].replicas : replica.location == "europe-west1" && replica.customer_managed_encryption[0].kms_key_name == var.kms_key])
    ])
    error_message = "A secret is not encrypted with it, or is where the key is not"
  }

  assert {
    condition     = alltrue([for bucket in [google_storage_bucket.source, google_storage_bucket.plans[0]] : bucket.encryption[0].default_kms_key_name == var.kms_key])
    error_message = "A bucket is not encrypted with it"
  }

  assert {
    condition     = google_artifact_registry_repository.functions.kms_key_name == var.kms_key
    error_message = "Images are not encrypted with it"
  }
}

run "without_a_key_google_has_its_own" {
  command = plan

  assert {
    condition = alltrue([
      for secret in google_secret_manager_secret.main :
      length(secret.replication[0].auto) == 1 && length(secret.replication[0].user_managed) == 0
    ])
    error_message = "A secret is replicated otherwise"
  }

  assert {
    condition     = alltrue([for bucket in [google_storage_bucket.source, google_storage_bucket.plans[0]] : length(bucket.encryption) == 0])
    error_message = "A bucket asks for a key"
  }

  assert {
    condition     = google_artifact_registry_repository.functions.kms_key_name == null
    error_message = "The registry asks for a key"
  }
}

run "a_key_of_another_region_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    kms_key = "projects/keys/locations/europe-west4/keyRings/movies/cryptoKeys/movies"
  }

  expect_failures = [var.kms_key]
}

run "a_version_of_a_key_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    kms_key = "projects/keys/locations/europe-west1/keyRings/movies/cryptoKeys/movies/cryptoKeyVersions/1"
  }

  expect_failures = [var.kms_key]
}
