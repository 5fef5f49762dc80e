# Guards who may look after the database by hand, and how they come in. A service account among them,
# an address that Postgres knows by another spelling, or a door that stays when nobody is to use it
# would all be applied without a word.

mock_provider "archive" {}
mock_provider "google" {}
mock_provider "time" {}

# What a deployed function looks like from here: its zip would be made anew for each of these plans.
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

run "without_operators_there_is_no_way_in" {
  command = plan

  assert {
    condition     = length(google_sql_user.operator) + length(google_project_iam_member.operator) + length(google_compute_firewall.door) == 0
    error_message = "Somebody may come in"
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].data_api_access == "DISALLOW_DATA_API" && !contains(keys(google_project_service.main), "iap.googleapis.com") && !contains(keys(google_project_iam_member.deployer), "roles/compute.securityAdmin")
    error_message = "A way in is open for nobody"
  }

  assert {
    condition     = local.settings.grant.DATABASE_OPERATORS == "[]"
    error_message = "The migration is not told that there are none: who was one stays one"
  }
}

run "people_and_groups_log_in_as_themselves_and_the_deployer_may_let_them" {
  command = plan

  variables {
    database_operators = ["user:ana@example.com", "group:movies-oncall@example.com"]
  }

  assert {
    condition     = { for name, user in google_sql_user.operator : name => user.type } == { "ana@example.com" = "CLOUD_IAM_USER", "movies-oncall@example.com" = "CLOUD_IAM_GROUP" }
    error_message = "Database users: ${jsonencode({ for name, user in google_sql_user.operator : name => user.type })}"
  }

  assert {
    condition     = alltrue([for user in google_sql_user.operator : user.password == null && user.database_roles == null])
    error_message = "An operator has a password, or a role beside the one that the migration gives"
  }

  assert {
    condition     = local.settings.grant.DATABASE_OPERATORS == "[\"ana@example.com\",\"movies-oncall@example.com\"]"
    error_message = "The migration is told ${local.settings.grant.DATABASE_OPERATORS}"
  }

  assert {
    condition = toset([for member in google_project_iam_member.operator : "${member.member} ${member.role}"]) == toset(flatten([
      for member in ["user:ana@example.com", "group:movies-oncall@example.com"] : [
        for role in ["cloudsql.client", "cloudsql.instanceUser", "cloudsql.studioUser", "compute.instanceAdmin.v1", "iap.tunnelResourceAccessor"] : "${member} roles/${role}"
      ]
    ]))
    error_message = "Operators have ${join(", ", keys(google_project_iam_member.operator))}"
  }

  assert {
    condition     = google_compute_firewall.door[0].source_ranges == toset(["35.235.240.0/20"]) && google_compute_firewall.door[0].target_tags == toset(["movies-door"]) && one(google_compute_firewall.door[0].allow).ports == tolist(["22"])
    error_message = "The door is open to others than IAP, or leads elsewhere"
  }

  assert {
    condition     = contains(keys(google_project_service.main), "iap.googleapis.com") && contains(keys(google_project_iam_member.deployer), "roles/compute.securityAdmin")
    error_message = "The door cannot be made or used"
  }

  assert {
    condition     = alltrue([for member in google_project_iam_member.operator : contains(local.granted_roles, member.role)]) && strcontains(google_project_iam_member.deployer_grants.condition[0].expression, "'roles/iap.tunnelResourceAccessor'")
    error_message = "The deployer may hand out ${join(", ", local.granted_roles)} alone"
  }
}

run "a_public_address_needs_no_door" {
  command = plan

  variables {
    database_operators = ["user:ana@example.com"]
    private_network    = false
  }

  assert {
    condition     = length(google_compute_firewall.door) == 0 && toset([for member in google_project_iam_member.operator : member.role]) == toset(["roles/cloudsql.client", "roles/cloudsql.instanceUser", "roles/cloudsql.studioUser"])
    error_message = "There is a door into no network"
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].data_api_access == "ALLOW_DATA_API"
    error_message = "Cloud SQL Studio is kept out"
  }
}

run "an_address_of_63_characters_is_taken" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database_operators = ["user:${join("", [for n in range(51) : "a"])}@example.com"]
  }

  assert {
    condition     = length(split(":", one(var.database_operators))[1]) == 63
    error_message = "It is not as long as it may be"
  }
}

run "an_address_of_64_characters_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database_operators = ["user:${join("", [for n in range(52) : "a"])}@example.com"]
  }

  expect_failures = [var.database_operators]
}

run "an_address_with_capitals_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database_operators = ["user:Ana@example.com"]
  }

  expect_failures = [var.database_operators]
}

run "an_address_without_its_kind_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database_operators = ["ana@example.com"]
  }

  expect_failures = [var.database_operators]
}

run "a_service_account_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database_operators = ["user:fn-login@movies-tests.iam.gserviceaccount.com"]
  }

  expect_failures = [var.database_operators]
}

run "one_address_as_two_kinds_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    database_operators = ["group:ana@example.com", "user:ana@example.com"]
  }

  expect_failures = [var.database_operators]
}
