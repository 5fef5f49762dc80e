# Guards the secrets' versions. Tokens stay valid through a rotation only if verifiers know a key before
# it signs and after it has; a leaked key must be known to nobody.

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

run "a_new_service_signs_with_the_first_key_and_reads_omdbs_at_the_version_that_was_added" {
  command = plan

  variables {
    omdb_api_key_version = 3
  }

  assert {
    condition     = toset(keys(google_secret_manager_secret_version.token_public_key)) == toset(["1", "2"])
    error_message = "Keys are ${join(", ", keys(google_secret_manager_secret_version.token_public_key))}"
  }

  assert {
    condition = alltrue([
      for version in concat(
        values(google_secret_manager_secret_version.token_private_key),
        values(google_secret_manager_secret_version.token_public_key),
        [
          google_secret_manager_secret_version.admin_password,
          google_secret_manager_secret_version.omdb_api_key_placeholder,
          google_secret_manager_secret_version.refresh_key,
        ],
      ) : version.secret_data == null && version.secret_data_wo == null
    ])
    error_message = "A secret's value is in the plan"
  }

  assert {
    condition     = google_secret_manager_secret_version.refresh_key.secret_data_wo_version == "1"
    error_message = "The key of refresh tokens is another one than the first"
  }

  assert {
    condition     = local.secrets.OMDB_API_KEY.version == "3"
    error_message = "Read is version ${local.secrets.OMDB_API_KEY.version}"
  }
}

run "a_rotation_keeps_the_last_key_and_a_missing_one_of_omdbs_is_pointed_out" {
  command = plan

  variables {
    omdb_api_key_version = 1
    token_key_generation = 2
  }

  assert {
    condition     = toset(keys(google_secret_manager_secret_version.token_public_key)) == toset(["1", "2", "3"])
    error_message = "Keys are ${join(", ", keys(google_secret_manager_secret_version.token_public_key))}"
  }

  expect_failures = [check.omdb_api_key]
}

run "after_a_leak_no_key_is_known_that_was_before" {
  command = plan

  variables {
    token_key_generation = 4
  }

  assert {
    condition     = toset(keys(google_secret_manager_secret_version.token_public_key)) == toset(["3", "4", "5"])
    error_message = "Keys are ${join(", ", keys(google_secret_manager_secret_version.token_public_key))}"
  }

  assert {
    condition     = { for key, version in google_secret_manager_secret_version.token_private_key : key => version.secret_data_wo_version } == { for key, version in google_secret_manager_secret_version.token_public_key : key => version.secret_data_wo_version }
    error_message = "A half would be written without the other"
  }
}

run "another_refresh_key_is_written_where_one_is_asked_for_and_touches_no_other_secret" {
  command = plan

  variables {
    refresh_key_version = 2
  }

  assert {
    condition     = google_secret_manager_secret_version.refresh_key.secret_data_wo_version == "2"
    error_message = "The old key stays"
  }

  assert {
    condition     = google_secret_manager_secret_version.admin_password.secret_data_wo_version == "1" && toset(keys(google_secret_manager_secret_version.token_private_key)) == toset(["1", "2"])
    error_message = "Another secret is made anew as well"
  }
}

run "a_refresh_key_of_a_version_between_two_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    refresh_key_version = 1.5
  }

  expect_failures = [var.refresh_key_version]
}

run "a_generation_of_zero_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    token_key_generation = 0
  }

  expect_failures = [var.token_key_generation]
}
