# Guards the way in. A public function without a route is unreachable behind the domain; a private one
# with a route would be open to whoever finds a hole in its IAM; and a domain that closes the functions'
# own URLs before its certificate and DNS are there takes the service off the net.

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
    condition     = length(google_compute_url_map.api) + length(google_compute_backend_service.function) + length(google_compute_security_policy.main) + length(google_compute_global_address.api) + length(google_certificate_manager_certificate.api) == 0
    error_message = "Something of the load balancer is there, and costs"
  }
}

run "a_domain_routes_every_public_function_and_no_other_by_a_certificate_of_its_own" {
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
      "/movies.get_many", "/v1/movies.get_many",
      "/movies.list", "/v1/movies.list",
      "/movies.random", "/v1/movies.random",
      "/movies.search", "/v1/movies.search",
      "/audit.list", "/v1/audit.list",
      "/keys.create", "/v1/keys.create",
      "/keys.delete/*", "/v1/keys.delete/*",
      "/keys.list", "/v1/keys.list",
      "/passwords.change", "/v1/passwords.change",
      "/passwords.set", "/v1/passwords.set",
      "/sessions.end", "/v1/sessions.end",
      "/sessions.list", "/v1/sessions.list",
      "/sessions.refresh", "/v1/sessions.refresh",
      "/users.create", "/v1/users.create",
      "/users.delete/*", "/v1/users.delete/*",
      "/users.list", "/v1/users.list",
      "/users.reset_password", "/v1/users.reset_password",
      "/users.update", "/v1/users.update",
      "/", "/v1/",
      "/docs", "/v1/docs",
      "/docs/*", "/v1/docs/*",
      "/openapi.json", "/v1/openapi.json",
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
    condition     = toset([for name, backend in google_compute_backend_service.function : name if backend.enable_cdn]) == toset(["api_docs", "movies_get", "movies_get_many", "movies_list", "movies_search"])
    error_message = "Cached are other functions than the reads and what describes them"
  }

  assert {
    condition     = google_compute_url_map.redirect[0].default_url_redirect[0].https_redirect && google_compute_url_map.redirect[0].default_url_redirect[0].redirect_response_code == "PERMANENT_REDIRECT"
    error_message = "HTTP is answered, or a POST becomes a GET"
  }

  assert {
    condition     = output.base_url == null
    error_message = "The pipeline would ask a domain that may not answer yet"
  }

  assert {
    condition     = alltrue([for check in google_monitoring_uptime_check_config.function : check.monitored_resource[0].labels.host == "a-function.example.com"])
    error_message = "A check asks a domain that may not answer yet"
  }

  assert {
    condition     = google_certificate_manager_dns_authorization.api[0].domain == "movies.example.com" && google_certificate_manager_certificate.api[0].managed[0].domains == tolist(["movies.example.com"])
    error_message = "The certificate is for another domain"
  }

  assert {
    condition     = google_certificate_manager_certificate_map_entry.api[0].hostname == "movies.example.com" && length(coalesce(google_compute_target_https_proxy.api[0].ssl_certificates, [])) == 0
    error_message = "The load balancer takes its certificate from elsewhere"
  }

  assert {
    condition     = contains(keys(google_project_service.main), "certificatemanager.googleapis.com") && contains(keys(google_project_iam_member.deployer), "roles/certificatemanager.owner")
    error_message = "The pipeline cannot manage certificates"
  }

  assert {
    condition     = { for version, address in google_compute_global_address.api : version => "${address.name} ${address.ip_version}" } == { IPV4 = "movies-api IPV4", IPV6 = "movies-api-ipv6 IPV6" }
    error_message = "An address is missing, or was given another name and so another number"
  }

  assert {
    condition = toset(concat(
      [for rule in google_compute_global_forwarding_rule.https : "${rule.name} ${rule.port_range}"],
      [for rule in google_compute_global_forwarding_rule.http : "${rule.name} ${rule.port_range}"],
    )) == toset(["movies-https 443", "movies-https-ipv6 443", "movies-http 80", "movies-http-ipv6 80"])
    error_message = "A port is not forwarded for one of the versions"
  }

  assert {
    condition = alltrue([
      for name, backend in google_compute_backend_service.function : backend.custom_response_headers == toset([
        "RateLimit-Policy: ${contains(["login", "passwords_change", "passwords_set", "sessions_refresh"], name) ? "\"login\";q=20;w=60" : "\"api\";q=600;w=60"}",
        "Strict-Transport-Security: max-age=31536000",
      ])
    ])
    error_message = "A function's answers lack a header, or tell of another limit than they are under"
  }

  assert {
    condition     = toset([for name, backend in google_compute_backend_service.function : name if backend.compression_mode == "AUTOMATIC"]) == toset(["api_docs", "movies_get", "movies_get_many", "movies_list", "movies_search"])
    error_message = "Compressed are other answers than those that everybody may read"
  }
}

run "domain_only_moves_checks_and_pipeline_to_the_domain_and_another_has_another_certificate" {
  command = plan

  variables {
    domain      = "films.example.com"
    domain_only = true
  }

  assert {
    condition     = output.base_url == "https://films.example.com"
    error_message = "The pipeline asks URLs that are closed"
  }

  assert {
    condition     = alltrue([for check in google_monitoring_uptime_check_config.function : check.monitored_resource[0].labels.host == "films.example.com"])
    error_message = "A check asks a URL that is closed"
  }

  assert {
    condition = length(distinct([
      google_certificate_manager_certificate.api[0].name,
      "movies-${substr(sha256("movies.example.com"), 0, 8)}",
    ])) == 2 && google_certificate_manager_certificate.api[0].name == google_certificate_manager_certificate_map_entry.api[0].name
    error_message = "The second certificate would take the first one's name"
  }
}

run "domain_only_without_a_domain_is_refused" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    domain_only = true
  }

  expect_failures = [var.domain_only]
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
