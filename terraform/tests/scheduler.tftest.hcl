# Guards the import's ticks: that the scheduler waits for as long as the function may take, calls it
# as an account that it knows, and rests when it is told to; what pause the schedules leave, by which
# the alert on imports goes; and the database's own hours.

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

  assert {
    condition     = length(google_cloud_scheduler_job.hours) == 0 && length(google_project_iam_member.hours) == 0 && length(google_service_account.hours) == 0
    error_message = "Something could stop the database"
  }
}

run "several_schedules_have_their_own_bodies_and_ticks_on_some_days_leave_a_pause_of_a_week" {
  command = plan

  variables {
    import_schedules = {
      rarely  = { schedule = "0 4 * * SUN" }
      refresh = { body = "{\"refresh\": true}", paused = true, schedule = "30 3 * * *", time_zone = "Europe/Berlin" }
    }
  }

  assert {
    condition     = jsondecode(base64decode(google_cloud_scheduler_job.import["refresh"].http_target[0].body)).refresh && google_cloud_scheduler_job.import["refresh"].paused && !google_cloud_scheduler_job.import["rarely"].paused
    error_message = "A schedule's body or pause is not its own"
  }

  assert {
    condition     = local.import_pause_minutes == 7 * 24 * 60
    error_message = "It is ${local.import_pause_minutes} minutes"
  }
}

run "the_longest_pause_is_between_the_ticks_of_all_schedules_and_one_variable_pauses_them" {
  command = plan

  variables {
    import_paused = true
    import_schedules = {
      morning = { schedule = "10,40 6-12/3 * * *" }
      evening = { schedule = "10 18 * * *" }
      rarely  = { schedule = "0 0 * * MON" }
      resting = { paused = true, schedule = "* * * * *" }
    }
    import_silence_hours = 24
  }

  assert {
    condition     = local._daily_ticks == { "Etc/UTC" = [370, 400, 550, 580, 730, 760, 1090] }
    error_message = "Ticks are ${jsonencode(local._daily_ticks)}"
  }

  assert {
    condition     = local.import_pause_minutes == 720
    error_message = "From 18:10 to 6:10 it is ${local.import_pause_minutes} minutes"
  }

  assert {
    condition     = alltrue([for job in google_cloud_scheduler_job.import : job.paused])
    error_message = "A schedule goes on"
  }
}

run "a_database_with_working_hours_is_switched_by_an_account_of_its_own" {
  command = plan

  variables {
    database         = { working_hours = { start = 6, stop = 20 } }
    import_schedules = { often = { schedule = "*/10 * * * *", time_zone = "Europe/Berlin" } }
    pipeline         = { branch = ".*", repository = "projects/movies-tests/locations/europe-west1/connections/c/repositories/r" }
  }

  assert {
    condition     = { for name, job in google_cloud_scheduler_job.hours : job.schedule => jsondecode(base64decode(job.http_target[0].body)).settings.activationPolicy } == { "0 6 * * *" = "ALWAYS", "0 20 * * *" = "NEVER" }
    error_message = "It is switched otherwise"
  }

  assert {
    condition     = alltrue([for job in google_cloud_scheduler_job.hours : job.http_target[0].http_method == "PATCH" && job.http_target[0].uri == "https://sqladmin.googleapis.com/v1/projects/movies-tests/instances/movies-dev" && job.http_target[0].oauth_token[0].service_account_email == "movies-hours@movies-tests.iam.gserviceaccount.com"])
    error_message = "The calls go elsewhere, or come from another account"
  }

  assert {
    condition     = contains(local.granted_roles, google_project_iam_member.hours[0].role) && contains(keys(local.deployed_accounts), "hours")
    error_message = "The pipeline could not apply this"
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].activation_policy == "ALWAYS" && google_sql_database_instance.main.settings[0].backup_configuration[0].start_time == "07:00"
    error_message = "The backup is due while nothing can be backed up"
  }

  assert {
    condition     = local.import_pause_minutes == 10
    error_message = "Every ten minutes means a pause of ${local.import_pause_minutes} minutes"
  }

  # One that is stopped is not as it was applied: each comparison would tell of it.
  assert {
    condition     = google_cloud_scheduler_job.drift[0].schedule == "17 7 * * *"
    error_message = "It is compared while the database is stopped"
  }
}

run "working_hours_of_less_than_six_hours_are_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database = { working_hours = { start = 6, stop = 11 } }
  }

  expect_failures = [var.database]
}

run "six_working_hours_leave_time_for_the_backup" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database = { working_hours = { start = 6, stop = 12 } }
  }
}

run "prod_works_at_all_hours" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database    = { working_hours = { start = 6, stop = 20 } }
    environment = "prod"
  }

  expect_failures = [var.database]
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
