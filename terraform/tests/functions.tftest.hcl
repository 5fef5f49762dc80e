# Guards what each function is deployed with: what derives from the table, what may be changed by a
# variable, and the sizes that Cloud Run would refuse or quietly change.

mock_provider "archive" {}
mock_provider "google" {}
mock_provider "time" {}

variables {
  omdb_api_key_version = 2
  project_id           = "movies-tests"
  region               = "europe-west1"
}

run "each_entry_is_deployed_as_itself_and_open_to_just_whom_it_is_for" {
  command = plan

  assert {
    condition     = alltrue([for name, function in output.functions : function.entry_point == name && startswith(function.object, "${name}/")])
    error_message = "A function is built from another's source or entry point"
  }

  assert {
    condition     = alltrue([for function in output.functions : function.min_instances == 0])
    error_message = "An instance is paid for day and night"
  }

  assert {
    condition     = output.functions.movies_list.concurrency == 80 && output.functions.movies_list.variables.DATABASE_CONNECTIONS == "8" && output.functions.login.variables.DATABASE_CONNECTIONS == "2"
    error_message = "A burst meets Cloud Run's own 429, or an instance's pool has another size than its folder says"
  }

  assert {
    condition = alltrue([
      for name, function in output.functions :
      function.variables.DB_USER == trimsuffix(function.account, ".gserviceaccount.com") if contains(keys(function.variables), "CLOUD_SQL_INSTANCE")
    ])
    error_message = "A function logs in as another"
  }

  assert {
    condition     = output.functions.movies_list.variables.CLOUD_SQL_INSTANCE == "movies-tests:europe-west1:movies-dev"
    error_message = "CLOUD_SQL_INSTANCE is ${output.functions.movies_list.variables.CLOUD_SQL_INSTANCE}"
  }

  assert {
    condition = alltrue([
      toset(keys(jsondecode(output.functions.api_docs.variables.FUNCTION_URLS))) == toset([for name, function in output.functions : name if function.invoker == "allUsers"]),
      can(regex("^https://movies-get-many-.+[.]europe-west1[.]run[.]app$", jsondecode(output.functions.api_docs.variables.FUNCTION_URLS).movies_get_many)),
    ])
    error_message = "The page at /docs asks ${output.functions.api_docs.variables.FUNCTION_URLS}"
  }

  assert {
    condition     = tonumber(output.functions.movies_import.variables.IMPORT_SECONDS) + 60 <= output.functions.movies_import.timeout_seconds
    error_message = "IMPORT_SECONDS is too near the time-out"
  }

  assert {
    condition     = alltrue([for function in output.functions : function.ingress == "ALLOW_ALL" && function.variables.TRUSTED_PROXIES == "1"])
    error_message = "A function trusts more proxies than stand before it, or does not answer"
  }

  assert {
    condition = toset([for name, function in output.functions : name if function.private_egress == "VPC_EGRESS_PRIVATE_RANGES_ONLY"]) == toset([
      for name, function in output.functions : name if contains(keys(function.variables), "CLOUD_SQL_INSTANCE")
    ])
    error_message = "A function does not reach the database's network, or takes addresses in it for nothing"
  }

  assert {
    condition = toset([for name, function in output.functions : name if function.invoker == "allUsers"]) == toset([
      "api_docs", "audit_list", "brew_coffee", "imports_get", "imports_list", "keys_create", "keys_delete", "keys_list", "login",
      "movies_create", "movies_delete", "movies_get", "movies_get_many", "movies_list", "movies_random", "movies_search",
      "passwords_change", "passwords_set", "sessions_end", "sessions_list", "sessions_refresh", "users_create", "users_delete",
      "users_list", "users_reset_password", "users_update",
    ])
    error_message = "allUsers may invoke: ${join(", ", [for name, function in output.functions : name if function.invoker == "allUsers"])}"
  }

  assert {
    condition     = output.functions.movies_import.invoker == "serviceAccount:movies-scheduler@movies-tests.iam.gserviceaccount.com"
    error_message = "movies_import is open to ${output.functions.movies_import.invoker}"
  }

  assert {
    condition     = output.functions.migrate.invoker == "serviceAccount:movies-deployer@movies-tests.iam.gserviceaccount.com"
    error_message = "migrate is open to ${output.functions.migrate.invoker}"
  }

  assert {
    condition     = length(distinct([for function in output.functions : function.account])) == length(output.functions)
    error_message = "Two functions share an account"
  }

  assert {
    condition     = alltrue([for name, function in output.functions : function.account == "fn-${replace(name, "_", "-")}@movies-tests.iam.gserviceaccount.com"])
    error_message = "A function runs as another's account"
  }

  assert {
    condition = { for name, function in output.functions : name => join(" ", function.secrets) if length(function.secrets) > 0 } == {
      login            = "TOKEN_PRIVATE_KEY"
      migrate          = "ADMIN_PASSWORD"
      movies_create    = "OMDB_API_KEY"
      movies_import    = "OMDB_API_KEY"
      sessions_refresh = "REFRESH_KEY TOKEN_PRIVATE_KEY"
    }
    error_message = "A secret is mounted where it is not used, or is not where it is"
  }

  assert {
    condition = { for name, grant in jsondecode(output.functions.migrate.variables.DATABASE_GRANTS) : name => grant.user } == {
      audit_list           = "fn-audit-list@movies-tests.iam"
      imports_get          = "fn-imports-get@movies-tests.iam"
      imports_list         = "fn-imports-list@movies-tests.iam"
      keys_create          = "fn-keys-create@movies-tests.iam"
      keys_delete          = "fn-keys-delete@movies-tests.iam"
      keys_list            = "fn-keys-list@movies-tests.iam"
      login                = "fn-login@movies-tests.iam"
      movies_create        = "fn-movies-create@movies-tests.iam"
      movies_delete        = "fn-movies-delete@movies-tests.iam"
      movies_get           = "fn-movies-get@movies-tests.iam"
      movies_get_many      = "fn-movies-get-many@movies-tests.iam"
      movies_import        = "fn-movies-import@movies-tests.iam"
      movies_list          = "fn-movies-list@movies-tests.iam"
      movies_random        = "fn-movies-random@movies-tests.iam"
      movies_search        = "fn-movies-search@movies-tests.iam"
      passwords_change     = "fn-passwords-change@movies-tests.iam"
      passwords_set        = "fn-passwords-set@movies-tests.iam"
      sessions_end         = "fn-sessions-end@movies-tests.iam"
      sessions_list        = "fn-sessions-list@movies-tests.iam"
      sessions_refresh     = "fn-sessions-refresh@movies-tests.iam"
      users_create         = "fn-users-create@movies-tests.iam"
      users_delete         = "fn-users-delete@movies-tests.iam"
      users_list           = "fn-users-list@movies-tests.iam"
      users_reset_password = "fn-users-reset-password@movies-tests.iam"
      users_update         = "fn-users-update@movies-tests.iam"
    }
    error_message = "DATABASE_GRANTS is ${output.functions.migrate.variables.DATABASE_GRANTS}"
  }

  assert {
    condition = jsondecode(output.functions.migrate.variables.DATABASE_GRANTS).movies_delete.rights == {
      api_keys  = "select (id, digest, user_id, role, expires_at)"
      audit_log = "insert"
      movies    = "select, delete"
      sessions  = "select (jti, user_id, expires_at)"
      users     = "select (id, role, disabled_at)"
    }
    error_message = "The rights are not those of functions/movies_delete/function.yaml"
  }
}

run "with_a_domain_public_functions_answer_at_both_and_one_may_have_a_size_of_its_own" {
  command = plan

  variables {
    domain         = "movies.example.com"
    function_sizes = { brew_coffee = { max_instances = 7 } }
  }

  override_resource {
    target          = google_compute_global_address.api
    override_during = plan
    values          = { address = "192.0.2.1" }
  }

  assert {
    condition     = alltrue([for function in output.functions : function.ingress == "ALLOW_ALL"])
    error_message = "A function is closed before the domain is known to answer"
  }

  assert {
    condition     = output.functions.login.variables.TRUSTED_PROXIES == "1" && output.functions.login.variables.LOAD_BALANCER_ADDRESSES == "192.0.2.1 192.0.2.1"
    error_message = "Who comes past the load balancer could make up an address, or who comes through it shares one"
  }

  assert {
    condition     = toset([for name, function in output.functions : name if contains(keys(function.variables), "LOAD_BALANCER_ADDRESSES")]) == toset([for name, function in output.functions : name if function.invoker == "allUsers"])
    error_message = "Others than the public functions know the load balancer"
  }

  assert {
    condition     = output.functions.api_docs.variables.FUNCTION_URLS == "{}"
    error_message = "The page at /docs asks functions past the domain"
  }

  assert {
    condition     = output.functions.brew_coffee.max_instances == 7 && output.functions.brew_coffee.concurrency == 80 && output.functions.login.max_instances == 1
    error_message = "More or less was changed than asked for"
  }
}

run "domain_only_lets_public_functions_answer_to_the_load_balancer_alone" {
  command = plan

  variables {
    domain      = "movies.example.com"
    domain_only = true
  }

  assert {
    condition     = alltrue([for function in output.functions : function.ingress == (function.invoker == "allUsers" ? "ALLOW_INTERNAL_AND_GCLB" : "ALLOW_ALL")])
    error_message = "A function can be reached past the load balancer, or a private one not at all"
  }

  assert {
    condition     = output.functions.login.variables.TRUSTED_PROXIES == "1"
    error_message = "Throwing the switch would open a moment in which addresses are made up"
  }
}

run "a_size_for_no_function_is_refused" {
  command = plan

  variables {
    function_sizes = { movie_list = { max_instances = 2 } }
  }

  expect_failures = [var.function_sizes]
}

run "half_a_cpu_serves_one_request_at_once" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    account     = "fn-a@movies-tests.iam.gserviceaccount.com"
    build       = { account = "a", bucket = "b", repository = "r" }
    invoker     = "allUsers"
    name        = "brew_coffee"
    service     = "brew-coffee"
    size        = { concurrency = 1, cpu = "0.5", max_instances = 1, memory = "256Mi", min_instances = 0, timeout_seconds = 30 }
    source_root = ".."
  }

  assert {
    condition     = output.deployed.concurrency == 1
    error_message = "The concurrency was not taken over"
  }
}

run "half_a_cpu_for_two_requests_at_once_and_a_function_without_a_folder_are_refused" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    account     = "fn-a@movies-tests.iam.gserviceaccount.com"
    build       = { account = "a", bucket = "b", repository = "r" }
    invoker     = "allUsers"
    name        = "movies_burn"
    service     = "movies-burn"
    size        = { concurrency = 2, cpu = "0.5", max_instances = 1, memory = "256Mi", min_instances = 0, timeout_seconds = 30 }
    source_root = ".."
  }

  expect_failures = [data.archive_file.main, var.size]
}
