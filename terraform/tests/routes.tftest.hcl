# Guards the way in. A public function without a route is unreachable behind the domain; a private one
# with a route would be open to whoever finds a hole in its IAM; and one whose own URL stays open
# behind a load balancer lets callers make up the address that logins are throttled by.

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

run "without_a_domain_there_is_no_load_balancer" {
  command = plan

  assert {
    condition     = length(google_compute_url_map.api) + length(google_compute_backend_service.function) + length(google_compute_security_policy.main) + length(google_compute_global_address.api) == 0
    error_message = "Something of the load balancer is there, and costs"
  }
}

run "a_domain_routes_every_public_function_and_no_other" {
  command = plan

  variables {
    domain = "movies.example.com"
  }

  assert {
    condition = toset(flatten([for rule in google_compute_url_map.api[0].path_matcher[0].path_rule : rule.paths])) == toset([
      "/brew-coffee", "/v1/brew-coffee",
      "/imports.get", "/v1/imports.get",
      "/imports.list", "/v1/imports.list",
      "/login", "/v1/login",
      "/movies.create", "/v1/movies.create",
      "/movies.delete/*", "/v1/movies.delete/*",
      "/movies.get", "/v1/movies.get",
      "/movies.list", "/v1/movies.list",
    ])
    error_message = "Routed are ${join(", ", flatten([for rule in google_compute_url_map.api[0].path_matcher[0].path_rule : rule.paths]))}"
  }

  assert {
    condition     = toset(keys(google_compute_backend_service.function)) == toset(keys(local.public_functions))
    error_message = "Routed are others than the public functions"
  }

  assert {
    condition     = google_compute_url_map.api[0].path_matcher[0].default_route_action[0].fault_injection_policy[0].abort[0].http_status == 404 && google_compute_url_map.api[0].path_matcher[0].default_route_action[0].fault_injection_policy[0].abort[0].percentage == 100
    error_message = "An unknown path reaches a function"
  }

  assert {
    condition = { for name, policy in google_compute_security_policy.main : name => one([for rule in policy.rule : rule.rate_limit_options[0].rate_limit_threshold[0].count if rule.action == "throttle"]) } == {
      api   = 600
      login = 20
    }
    error_message = "The limits are not what rate_limits says"
  }

  assert {
    condition     = toset([for name, backend in google_compute_backend_service.function : name if backend.enable_cdn]) == toset(["movies_get", "movies_list"])
    error_message = "Cached are other functions than the reads"
  }

  assert {
    condition     = google_compute_url_map.redirect[0].default_url_redirect[0].https_redirect && google_compute_url_map.redirect[0].default_url_redirect[0].redirect_response_code == "PERMANENT_REDIRECT"
    error_message = "HTTP is answered, or a POST becomes a GET"
  }
}

run "a_login_limit_as_loose_as_the_rest_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    rate_limits = { api_per_minute = 20, login_per_minute = 20 }
  }

  expect_failures = [var.rate_limits]
}

run "a_domain_with_a_scheme_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    domain = "https://movies.example.com"
  }

  expect_failures = [var.domain]
}
