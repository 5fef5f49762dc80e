# With a domain: one global load balancer in front of the public functions. They answer at their own
# URLs, too, until domain_only closes those: so that the certificate, then DNS, can be there first.
# Private functions are not behind it at all. Without a domain, each function's own URL serves.

locals {
  routed = { for name, function in local.public_functions : name => function if var.domain != null }

  # What their names end with, by IP version. The load balancer appends the caller's address and its own to X-Forwarded-For:
  # https://cloud.google.com/load-balancing/docs/https#x-forwarded-for_header
  addresses               = var.domain == null ? {} : { IPV4 = "", IPV6 = "-ipv6" }
  load_balancer_addresses = join(" ", [for version in keys(local.addresses) : google_compute_global_address.api[version].address])

  # A certificate's domain cannot change: another one comes under another name, before the old goes.
  _certificate = var.domain == null ? "" : "${var.prefix}-${substr(sha256(var.domain), 0, 8)}"

  # What a client may ask for in a minute, by the security policy of a function.
  rate_limit_seconds = 60
  security_policies = var.domain == null ? {} : {
    api   = var.rate_limits.api_per_minute
    login = var.rate_limits.login_per_minute
  }
}

resource "google_compute_global_address" "api" {
  for_each = local.addresses

  name       = "${var.prefix}-api${each.value}"
  ip_version = each.key

  depends_on = [time_sleep.services]
}

# Proves by a CNAME record that the domain is ours, and so needs neither A record nor load balancer:
# the certificate is there before the first caller is.
# https://cloud.google.com/certificate-manager/docs/domain-authorization#dns-auth
resource "google_certificate_manager_dns_authorization" "api" {
  count = var.domain == null ? 0 : 1

  name   = local._certificate
  domain = var.domain

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [time_sleep.services]
}

resource "google_certificate_manager_certificate" "api" {
  count = var.domain == null ? 0 : 1

  name = local._certificate

  managed {
    dns_authorizations = [google_certificate_manager_dns_authorization.api[0].id]
    domains            = [var.domain]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_certificate_manager_certificate_map" "api" {
  count = var.domain == null ? 0 : 1

  name = "${var.prefix}-api"

  depends_on = [time_sleep.services]
}

resource "google_certificate_manager_certificate_map_entry" "api" {
  count = var.domain == null ? 0 : 1

  name         = local._certificate
  certificates = [google_certificate_manager_certificate.api[0].id]
  hostname     = var.domain
  map          = google_certificate_manager_certificate_map.api[0].name

  lifecycle {
    create_before_destroy = true
  }
}

# The URL map lets go of a function that is removed, or made private, before its backend and endpoint
# group go; else Google refuses, as they are in use (hashicorp/terraform-provider-google#4543, #20206).
# Whatever would replace one changes its name as well, so that two can stand side by side.
#
# Neither depends on the function, which would inherit create_before_destroy, and its name is taken.
resource "google_compute_region_network_endpoint_group" "function" {
  for_each = local.routed

  name                  = "${var.prefix}-${local._hyphenated[each.key]}"
  network_endpoint_type = "SERVERLESS"
  region                = var.region

  # A function of the second generation is a Cloud Run service; `cloud_function` means the first.
  cloud_run {
    service = local._services[each.key]
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [time_sleep.services]
}

# Serverless backends take neither health checks nor a time-out.
resource "google_compute_backend_service" "function" {
  for_each = local.routed

  name                  = "${var.prefix}-${local._hyphenated[each.key]}"
  compression_mode      = each.value.cdn ? "AUTOMATIC" : "DISABLED"
  enable_cdn            = each.value.cdn
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"
  security_policy       = google_compute_security_policy.main[each.value.rate_limit].id

  custom_response_headers = [
    # As draft-ietf-httpapi-ratelimit-headers-10 writes it. What is left of it, the draft's RateLimit, Cloud Armor
    # tells nobody.
    "RateLimit-Policy: \"${each.value.rate_limit}\";q=${local.security_policies[each.value.rate_limit]};w=${local.rate_limit_seconds}",
    # Here, as here alone everything is HTTPS. Other names below the domain are not ours to speak for.
    "Strict-Transport-Security: max-age=31536000",
  ]

  backend {
    group = google_compute_region_network_endpoint_group.function[each.key].id
  }

  dynamic "cdn_policy" {
    for_each = each.value.cdn ? [1] : []

    content {
      cache_mode = "USE_ORIGIN_HEADERS" # s-maxage of the answer: half a minute

      cache_key_policy {
        include_host         = true
        include_protocol     = false
        include_query_string = true
      }
    }
  }

  log_config {
    enable      = true
    sample_rate = 0.1
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_security_policy" "main" {
  for_each = local.security_policies

  #checkov:skip=CKV_GCP_73:Log4j is Java's, and nothing here is Java
  name        = "${var.prefix}-${each.key}"
  description = "At most ${each.value} requests a minute from one client"

  rule {
    action      = "throttle"
    description = "The rest, up to the limit"
    priority    = 1000

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }

    rate_limit_options {
      conform_action = "allow"
      enforce_on_key = "IP"
      exceed_action  = "deny(429)"

      rate_limit_threshold {
        count        = each.value
        interval_sec = local.rate_limit_seconds
      }
    }
  }

  rule {
    action      = "allow"
    description = "The rule that every policy has to end with; nothing comes as far"
    priority    = 2147483647

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }
  }

  depends_on = [time_sleep.services]
}

resource "google_compute_url_map" "api" {
  count = var.domain == null ? 0 : 1

  name = "${var.prefix}-api"

  # A URL map has to name some service; the fault answers before it is asked.
  default_service = google_compute_backend_service.function[keys(local.routed)[0]].id

  default_route_action {
    fault_injection_policy {
      abort {
        http_status = 404
        percentage  = 100
      }
    }
  }

  host_rule {
    hosts        = [var.domain]
    path_matcher = "functions"
  }

  path_matcher {
    name            = "functions"
    default_service = google_compute_backend_service.function[keys(local.routed)[0]].id

    default_route_action {
      fault_injection_policy {
        abort {
          http_status = 404
          percentage  = 100
        }
      }
    }

    dynamic "path_rule" {
      for_each = local.routed

      content {
        paths   = path_rule.value.paths
        service = google_compute_backend_service.function[path_rule.key].id
      }
    }
  }

  depends_on = [module.function] # no route before what it leads to
}

resource "google_compute_ssl_policy" "api" {
  count = var.domain == null ? 0 : 1

  name            = "${var.prefix}-api"
  min_tls_version = "TLS_1_2"
  profile         = "MODERN"

  depends_on = [time_sleep.services]
}

resource "google_compute_target_https_proxy" "api" {
  count = var.domain == null ? 0 : 1

  name            = "${var.prefix}-api"
  certificate_map = "//certificatemanager.googleapis.com/${google_certificate_manager_certificate_map.api[0].id}"
  ssl_policy      = google_compute_ssl_policy.api[0].id
  url_map         = google_compute_url_map.api[0].id

  depends_on = [google_certificate_manager_certificate_map_entry.api]
}

resource "google_compute_global_forwarding_rule" "https" {
  for_each = local.addresses

  name                  = "${var.prefix}-https${each.value}"
  ip_address            = google_compute_global_address.api[each.key].id
  load_balancing_scheme = "EXTERNAL_MANAGED"
  port_range            = "443"
  target                = google_compute_target_https_proxy.api[0].id
}

resource "google_compute_url_map" "redirect" {
  count = var.domain == null ? 0 : 1

  name = "${var.prefix}-redirect"

  default_url_redirect {
    https_redirect         = true
    redirect_response_code = "PERMANENT_REDIRECT" # 308 keeps a POST a POST
    strip_query            = false
  }

  depends_on = [time_sleep.services]
}

resource "google_compute_target_http_proxy" "redirect" {
  count = var.domain == null ? 0 : 1

  #checkov:skip=CKV_GCP_6:It only tells callers to come back by HTTPS
  name    = "${var.prefix}-redirect"
  url_map = google_compute_url_map.redirect[0].id
}

resource "google_compute_global_forwarding_rule" "http" {
  for_each = local.addresses

  name                  = "${var.prefix}-http${each.value}"
  ip_address            = google_compute_global_address.api[each.key].id
  load_balancing_scheme = "EXTERNAL_MANAGED"
  port_range            = "80"
  target                = google_compute_target_http_proxy.redirect[0].id
}

moved {
  from = google_compute_global_address.api[0]
  to   = google_compute_global_address.api["IPV4"]
}

moved {
  from = google_compute_global_forwarding_rule.https[0]
  to   = google_compute_global_forwarding_rule.https["IPV4"]
}

moved {
  from = google_compute_global_forwarding_rule.http[0]
  to   = google_compute_global_forwarding_rule.http["IPV4"]
}
