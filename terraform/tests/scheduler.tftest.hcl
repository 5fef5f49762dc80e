# Guards the import's ticks: that the scheduler waits for as long as the function may take, calls it
# as an account that it knows, and rests when it is told to.

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

run "a_tick_calls_as_the_scheduler_and_waits_longer_than_the_import_may_take" {
  command = plan

  assert {
    condition     = google_cloud_scheduler_job.import["hourly"].http_target[0].oidc_token[0].audience == "https://a-function.example.com"
    error_message = "The token is for ${google_cloud_scheduler_job.import["hourly"].http_target[0].oidc_token[0].audience}"
  }

  assert {
    condition     = google_cloud_scheduler_job.import["hourly"].http_target[0].oidc_token[0].service_account_email == "movies-scheduler@movies-tests.iam.gserviceaccount.com"
    error_message = "The tick comes from another account"
  }

  assert {
    condition     = tonumber(trimsuffix(google_cloud_scheduler_job.import["hourly"].attempt_deadline, "s")) > local.functions.movies_import.timeout_seconds
    error_message = "The scheduler gives up on an import that goes on"
  }

  assert {
    condition     = tonumber(trimsuffix(google_cloud_scheduler_job.import["hourly"].attempt_deadline, "s")) <= 1800
    error_message = "Cloud Scheduler takes no such deadline"
  }
}

run "there_may_be_several_schedules_with_bodies_of_their_own" {
  command = plan

  variables {
    import_schedules = {
      hourly  = { schedule = "7 * * * *" }
      refresh = { body = "{\"refresh\": true}", paused = true, schedule = "30 3 * * SUN", time_zone = "Europe/Berlin" }
    }
  }

  assert {
    condition     = jsondecode(base64decode(google_cloud_scheduler_job.import["refresh"].http_target[0].body)).refresh && google_cloud_scheduler_job.import["refresh"].paused && !google_cloud_scheduler_job.import["hourly"].paused
    error_message = "A schedule's body or pause is not its own"
  }
}

run "one_variable_pauses_them_all" {
  command = plan

  variables {
    import_paused = true
  }

  assert {
    condition     = alltrue([for job in google_cloud_scheduler_job.import : job.paused])
    error_message = "A schedule goes on"
  }
}

run "a_schedule_of_four_fields_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    import_schedules = { hourly = { schedule = "7 * * *" } }
  }

  expect_failures = [var.import_schedules]
}

run "a_body_that_is_no_object_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    import_schedules = { hourly = { body = "[]", schedule = "7 * * * *" } }
  }

  expect_failures = [var.import_schedules]
}
