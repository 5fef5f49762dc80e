# With a domain: one global load balancer in front of the public functions, which then answer to it
# alone. Private ones are not behind it at all. Without a domain, each function's own URL serves.

locals {
  routed = { for name, function in local.public_functions : name => function if var.domain != null }

  # Proxies that append to X-Forwarded-For: Cloud Run's front end, and the load balancer.
  trusted_proxies = var.domain == null ? 1 : 2

  # What a client may ask for in a minute, by the security policy of a function.
  security_policies = var.domain == null ? {} : {
    api   = var.rate_limits.api_per_minute
    login = var.rate_limits.login_per_minute
  }
}

resource "google_compute_global_address" "api" {
  count = var.domain == null ? 0 : 1

  name = "movies-api"

  depends_on = [time_sleep.services]
}

resource "google_compute_managed_ssl_certificate" "api" {
  count = var.domain == null ? 0 : 1

  # A certificate's domain cannot change: another one comes under another name, before the old goes.
  name = "movies-${substr(sha256(var.domain), 0, 8)}"

  managed {
    domains = [var.domain]
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [time_sleep.services]
}

resource "google_compute_region_network_endpoint_group" "function" {
  for_each = local.routed

  name                  = "movies-${module.function[each.key].service}"
  network_endpoint_type = "SERVERLESS"
  region                = var.region

  # A function of the second generation is a Cloud Run service; `cloud_function` means the first.
  cloud_run {
    service = module.function[each.key].service
  }
}

# Serverless backends take neither health checks nor a time-out.
resource "google_compute_backend_service" "function" {
  for_each = local.routed

  name                  = "movies-${module.function[each.key].service}"
  enable_cdn            = each.value.cdn
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"
  security_policy       = google_compute_security_policy.main[each.value.rate_limit].id

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
}

resource "google_compute_security_policy" "main" {
  for_each = local.security_policies

  #checkov:skip=CKV_GCP_73:Log4j is Java's, and nothing here is Java
  name        = "movies-${each.key}"
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
        interval_sec = 60
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

  name = "movies-api"

  # A URL map has to name some service; the fault answers before it is asked.
  default_service = google_compute_backend_service.function["brew_coffee"].id

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
    default_service = google_compute_backend_service.function["brew_coffee"].id

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
}

resource "google_compute_ssl_policy" "api" {
  count = var.domain == null ? 0 : 1

  name            = "movies-api"
  min_tls_version = "TLS_1_2"
  profile         = "MODERN"

  depends_on = [time_sleep.services]
}

resource "google_compute_target_https_proxy" "api" {
  count = var.domain == null ? 0 : 1

  name             = "movies-api"
  ssl_certificates = [google_compute_managed_ssl_certificate.api[0].id]
  ssl_policy       = google_compute_ssl_policy.api[0].id
  url_map          = google_compute_url_map.api[0].id
}

resource "google_compute_global_forwarding_rule" "https" {
  count = var.domain == null ? 0 : 1

  name                  = "movies-https"
  ip_address            = google_compute_global_address.api[0].id
  load_balancing_scheme = "EXTERNAL_MANAGED"
  port_range            = "443"
  target                = google_compute_target_https_proxy.api[0].id
}

resource "google_compute_url_map" "redirect" {
  count = var.domain == null ? 0 : 1

  name = "movies-redirect"

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
  name    = "movies-redirect"
  url_map = google_compute_url_map.redirect[0].id
}

resource "google_compute_global_forwarding_rule" "http" {
  count = var.domain == null ? 0 : 1

  name                  = "movies-http"
  ip_address            = google_compute_global_address.api[0].id
  load_balancing_scheme = "EXTERNAL_MANAGED"
  port_range            = "80"
  target                = google_compute_target_http_proxy.redirect[0].id
}
