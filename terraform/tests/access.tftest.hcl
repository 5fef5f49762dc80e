# Guards who may do what. A function that anyone may invoke without being meant to, a secret that one
# more account reads, or a role that reaches further than its holder's work would all deploy without
# a word; these plans name each of them.

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

run "each_account_may_do_what_its_work_takes_and_no_more" {
  command = plan

  variables {
    budget   = { amount = 50, billing_account = "012345-6789AB-CDEF01" }
    domain   = "movies.example.com"
    pipeline = { branch = "^main$", repository = "projects/movies-tests/locations/europe-west1/connections/c/repositories/r" }
  }

  assert {
    condition = { for key, grant in google_secret_manager_secret_iam_member.function : key => "${grant.secret_id} ${grant.role} ${grant.member}" } == {
      "login TOKEN_PRIVATE_KEY"            = "movies-token-private-key roles/secretmanager.secretAccessor serviceAccount:fn-login@movies-tests.iam.gserviceaccount.com"
      "sessions_refresh REFRESH_KEY"       = "movies-refresh-key roles/secretmanager.secretAccessor serviceAccount:fn-sessions-refresh@movies-tests.iam.gserviceaccount.com"
      "sessions_refresh TOKEN_PRIVATE_KEY" = "movies-token-private-key roles/secretmanager.secretAccessor serviceAccount:fn-sessions-refresh@movies-tests.iam.gserviceaccount.com"
      "migrate ADMIN_PASSWORD"             = "movies-admin-password roles/secretmanager.secretAccessor serviceAccount:fn-migrate@movies-tests.iam.gserviceaccount.com"
      "movies_create OMDB_API_KEY"         = "movies-omdb-api-key roles/secretmanager.secretAccessor serviceAccount:fn-movies-create@movies-tests.iam.gserviceaccount.com"
      "movies_import OMDB_API_KEY"         = "movies-omdb-api-key roles/secretmanager.secretAccessor serviceAccount:fn-movies-import@movies-tests.iam.gserviceaccount.com"
    }
    error_message = "Secrets are read by others than their users"
  }

  assert {
    condition     = setsubtract(keys(local.functions), keys(google_sql_user.function)) == toset(["api_docs", "brew_coffee"])
    error_message = "Database users: ${join(", ", keys(google_sql_user.function))}"
  }

  assert {
    condition = toset([for member in google_project_iam_member.database : "${member.member} ${member.role}"]) == toset(flatten([
      for user in google_sql_user.function : [
        for role in ["roles/cloudsql.client", "roles/cloudsql.instanceUser"] : "serviceAccount:${user.name}.gserviceaccount.com ${role}"
      ]
    ]))
    error_message = "An account may reach the database that has no user in it, or the other way round"
  }

  assert {
    condition     = alltrue([for user in google_sql_user.function : user.type == "CLOUD_IAM_SERVICE_ACCOUNT" && user.password == null])
    error_message = "A database user has a password"
  }

  assert {
    condition = { for name, wait in time_sleep.grants : name => wait.triggers.grants } == merge(
      {
        for name in [
          "audit_list", "imports_get", "imports_list", "keys_create", "keys_delete", "keys_list", "movies_delete", "movies_get",
          "movies_get_many", "movies_list", "movies_random", "movies_search", "passwords_change", "passwords_set", "sessions_end",
          "sessions_list", "users_create", "users_delete", "users_list", "users_reset_password", "users_update",
        ] : name => "roles/cloudsql.client roles/cloudsql.instanceUser"
      },
      {
        login            = "TOKEN_PRIVATE_KEY roles/cloudsql.client roles/cloudsql.instanceUser"
        migrate          = "ADMIN_PASSWORD roles/cloudsql.client roles/cloudsql.instanceUser"
        movies_create    = "OMDB_API_KEY roles/cloudsql.client roles/cloudsql.instanceUser"
        movies_import    = "OMDB_API_KEY roles/cloudsql.client roles/cloudsql.instanceUser"
        sessions_refresh = "REFRESH_KEY TOKEN_PRIVATE_KEY roles/cloudsql.client roles/cloudsql.instanceUser"
      },
    )
    error_message = "A function does not wait for all that it is granted, or waits for nothing"
  }

  assert {
    condition     = alltrue([for wait in time_sleep.grants : wait.create_duration == "120s"])
    error_message = "Grants typically take two minutes to spread"
  }

  assert {
    condition     = { for name, user in google_sql_user.function : name => user.database_roles if user.database_roles != null } == { migrate = tolist(["cloudsqlsuperuser"]) }
    error_message = "Another than migrate is cloudsqlsuperuser"
  }

  assert {
    condition     = length(setintersection(keys(google_project_iam_member.deployer), ["roles/owner", "roles/editor", "roles/iam.serviceAccountUser", "roles/iam.serviceAccountTokenCreator", "roles/resourcemanager.projectIamAdmin"])) == 0
    error_message = "The deployer has ${join(", ", keys(google_project_iam_member.deployer))}"
  }

  assert {
    condition     = google_project_iam_member.deployer_grants.condition[0].expression == "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly(['roles/cloudsql.client', 'roles/cloudsql.instanceUser', 'roles/logging.logWriter', 'roles/storage.objectViewer'])"
    error_message = "The deployer may hand out other roles: ${google_project_iam_member.deployer_grants.condition[0].expression}"
  }

  assert {
    condition     = toset(keys(google_project_iam_member.build)) == toset(["roles/logging.logWriter", "roles/storage.objectViewer"])
    error_message = "The build account has ${join(", ", keys(google_project_iam_member.build))}"
  }

  assert {
    condition     = google_artifact_registry_repository_iam_member.build.role == "roles/artifactregistry.writer"
    error_message = "The build account may do more to the images than write them"
  }
}
