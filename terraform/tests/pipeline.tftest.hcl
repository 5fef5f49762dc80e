# Guards who may change an environment, after whose word, and who hears when a build fails.

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

run "without_a_repository_there_is_no_trigger_but_a_failed_backup_is_told" {
  command = plan

  assert {
    condition     = length(google_cloudbuild_trigger.main) + length(google_cloudbuild_trigger.started) + length(google_cloud_scheduler_job.drift) == 0
    error_message = "Something would build this environment"
  }

  assert {
    condition     = !contains(keys(local.alerts), "build_failed") && !contains(keys(google_logging_metric.platform), "build_failed")
    error_message = "Builds that there are none of would be watched"
  }

  assert {
    condition     = !contains(local.deployer_roles, "roles/cloudbuild.readTokenAccessor")
    error_message = "The deployer may read a repository that it has nothing to do with"
  }

  assert {
    condition     = strcontains(google_logging_metric.platform["backup_failed"].filter, "windowStatus=\"STATUS_FAILED\"")
    error_message = "The database's day without a backup is not counted"
  }

  assert {
    condition     = strcontains(local.alerts.backup_failed.query, "user_movies_backup_failed{monitored_resource=\"cloudsql_database\"}")
    error_message = "The alert watches something else"
  }
}

run "a_push_plans_and_a_day_compares_by_the_commits_files_and_the_environments_account" {
  command = apply

  variables {
    pipeline = { branch = ".*", repository = "projects/movies-tests/locations/europe-west1/connections/c/repositories/r" }
  }

  assert {
    condition     = google_cloudbuild_trigger.main[0].service_account == google_service_account.deployer.id && google_cloudbuild_trigger.main[0].filename == "cloudbuild.yaml"
    error_message = "The build runs as another account, or from another file"
  }

  assert {
    condition     = google_cloudbuild_trigger.main[0].substitutions._ENVIRONMENT == "dev"
    error_message = "The build would change another environment"
  }

  assert {
    condition     = google_cloudbuild_trigger.main[0].substitutions._APPLY_TRIGGER == google_cloudbuild_trigger.started["apply"].trigger_id && google_cloudbuild_trigger.main[0].substitutions._APPROVAL == "false"
    error_message = "The build would not start the one that applies, or would wait for nobody's approval"
  }

  assert {
    condition     = alltrue([for trigger in google_cloudbuild_trigger.started : trigger.service_account == google_service_account.deployer.id])
    error_message = "A build that another one starts runs as another account"
  }

  assert {
    condition     = contains(local.deployer_roles, "roles/cloudbuild.readTokenAccessor")
    error_message = "No build could tell whether its commit is still the branch's head"
  }

  assert {
    condition = {
      for name in ["applied.tar.gz", "c0ffee/a-build/movies.tfplan", "c0ffee/a-build/plan.txt", "lock.json", "plans/c0ffee/a-build/plan.tar.gz", "plans/c0ffee/a-build/plan.txt"] :
      name => anytrue([for rule in google_storage_bucket.plans[0].lifecycle_rule : anytrue([for suffix in tolist(rule.condition)[0].matches_suffix : endswith(name, suffix)]) if tolist(rule.condition)[0].age == 90])
      } == {
      "applied.tar.gz"                   = false
      "c0ffee/a-build/movies.tfplan"     = true
      "c0ffee/a-build/plan.txt"          = true
      "lock.json"                        = false
      "plans/c0ffee/a-build/plan.tar.gz" = true
      "plans/c0ffee/a-build/plan.txt"    = true
    }
    error_message = "A plan stays for ever, or something goes that is still needed"
  }

  assert {
    condition     = alltrue([for rule in google_storage_bucket.plans[0].lifecycle_rule : length(coalesce(tolist(rule.condition)[0].matches_prefix, [])) == 0])
    error_message = "Plans that lie elsewhere stay for ever"
  }

  assert {
    condition     = { for name, trigger in google_cloudbuild_trigger.started : name => trigger.git_file_source[0].path } == { apply = "terraform/pipeline/apply.yaml", drift = "terraform/pipeline/drift.yaml" }
    error_message = "A trigger reads another file"
  }

  assert {
    condition     = alltrue([for trigger in google_cloudbuild_trigger.started : fileexists("${path.root}/../${trigger.git_file_source[0].path}")])
    error_message = "A trigger's file is not there"
  }

  assert {
    condition     = alltrue([for trigger in google_cloudbuild_trigger.started : trigger.git_file_source[0].revision == null])
    error_message = "A plan would be applied by the steps of another commit"
  }

  assert {
    condition     = google_cloud_scheduler_job.drift[0].http_target[0].uri == "https://cloudbuild.googleapis.com/v1/projects/movies-tests/locations/europe-west1/triggers/${google_cloudbuild_trigger.started["drift"].trigger_id}:run"
    error_message = "The scheduler would start another build"
  }

  assert {
    condition     = google_cloud_scheduler_job.drift[0].http_target[0].oauth_token[0].service_account_email == "movies-deployer@movies-tests.iam.gserviceaccount.com"
    error_message = "The scheduler calls as somebody who may not start builds"
  }

  assert {
    condition     = jsondecode(base64decode(google_cloud_scheduler_job.drift[0].http_target[0].body)) == { source = { branchName = "main" } }
    error_message = "A run of a trigger needs a branch"
  }

  assert {
    condition     = google_cloud_scheduler_job.drift[0].schedule == "17 4 * * *"
    error_message = "It is compared while people work"
  }

  assert {
    condition = alltrue([
      for trigger in concat(google_cloudbuild_trigger.main, values(google_cloudbuild_trigger.started)) :
      strcontains(google_logging_metric.platform["build_failed"].filter, "\"${trigger.trigger_id}\"")
    ])
    error_message = "A trigger's failures are not counted"
  }

  assert {
    condition     = strcontains(google_logging_metric.platform["build_failed"].filter, "textPayload=(\"ERROR\" OR \"TIMEOUT\")")
    error_message = "Failures are not what is counted, or a build that was cancelled is one"
  }

  assert {
    condition     = strcontains(local.alerts.build_failed.query, "user_movies_build_failed{monitored_resource=\"build\"}")
    error_message = "The alert watches something else"
  }
}

run "a_plan_of_prod_waits_for_a_person_and_nothing_else_does" {
  command = plan

  variables {
    environment = "prod"
    pipeline    = { approval_required = true, branch = "^main$", repository = "projects/movies-tests/locations/europe-west1/connections/c/repositories/r" }
  }

  assert {
    condition     = google_cloudbuild_trigger.started["apply"].approval_config[0].approval_required
    error_message = "Nobody is asked"
  }

  assert {
    condition     = google_cloudbuild_trigger.main[0].substitutions._APPROVAL == "true"
    error_message = "The build that plans would keep the environment until somebody approves"
  }

  assert {
    condition     = length(google_cloudbuild_trigger.main[0].approval_config) == 0 && !google_cloudbuild_trigger.started["drift"].approval_config[0].approval_required
    error_message = "Somebody would have to approve a plan before it is made"
  }
}

run "prod_without_approval_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    environment = "prod"
    pipeline    = { branch = "^main$", repository = "projects/movies-tests/locations/europe-west1/connections/c/repositories/r" }
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

run "a_repository_of_another_project_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    pipeline = { branch = "^main$", repository = "projects/movies-others/locations/europe-west1/connections/c/repositories/r" }
  }

  expect_failures = [var.pipeline]
}

run "a_repository_of_another_region_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    pipeline = { branch = "^main$", repository = "projects/movies-tests/locations/us-central1/connections/c/repositories/r" }
  }

  expect_failures = [var.pipeline]
}

run "a_repository_of_this_project_and_region_is_taken" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    pipeline = { branch = "^main$", repository = "projects/movies-tests/locations/europe-west1/connections/c/repositories/r" }
  }
}
