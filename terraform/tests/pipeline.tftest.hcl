# Guards who may change an environment, and after whose word.

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
  project_id           = "movies-tests"
  region               = "europe-west1"
}

run "without_a_repository_there_is_no_trigger" {
  command = plan

  assert {
    condition     = length(google_cloudbuild_trigger.main) == 0
    error_message = "Something would build this environment"
  }
}

run "a_push_builds_the_environment_with_its_own_account" {
  command = apply

  variables {
    pipeline = { branch = "^main$", repository = "projects/p/locations/europe-west1/connections/c/repositories/r" }
  }

  assert {
    condition     = google_cloudbuild_trigger.main[0].service_account == google_service_account.deployer.id && google_cloudbuild_trigger.main[0].filename == "cloudbuild.yaml"
    error_message = "The build runs as another account, or from another file"
  }

  assert {
    condition     = google_cloudbuild_trigger.main[0].substitutions._ENVIRONMENT == "dev"
    error_message = "The build would change another environment"
  }
}

run "prod_waits_for_a_person" {
  command = plan

  variables {
    environment = "prod"
    pipeline    = { approval_required = true, branch = "^main$", repository = "projects/p/locations/europe-west1/connections/c/repositories/r" }
  }

  assert {
    condition     = google_cloudbuild_trigger.main[0].approval_config[0].approval_required
    error_message = "Nobody is asked"
  }
}

run "prod_without_approval_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    environment = "prod"
    pipeline    = { branch = "^main$", repository = "projects/p/locations/europe-west1/connections/c/repositories/r" }
  }

  expect_failures = [var.pipeline]
}

run "a_repository_by_its_web_address_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    pipeline = { branch = "^main$", repository = "https://example.com/movies.git" }
  }

  expect_failures = [var.pipeline]
}
