# Each folder in ../functions is a function, and its function.yaml says what is true of it (see
# ../functions/function.schema.json). Zips, accounts, permissions, routes, uptime checks, the dashboard
# and the connection budget all derive from these files.

locals {
  _folders = "${path.module}/../functions"

  function_table = {
    for file in fileset(local._folders, "*/function.yaml") :
    dirname(file) => yamldecode(file("${local._folders}/${file}"))
  }

  _function_defaults = {
    cdn             = false
    concurrency     = 80  # more than its connections: a burst waits in line instead of meeting Cloud Run's 429
    connections     = 8   # places in an instance's pool
    cpu             = "1" # of less, Cloud Run gives an instance one request at a time
    max_instances   = 1
    memory          = "512Mi"
    min_instances   = 0
    rate_limit      = "api"
    timeout_seconds = 30
  }

  functions = {
    for name, entry in local.function_table : name => merge(
      local._function_defaults,
      entry,
      { for key, value in try(var.function_sizes[name], {}) : key => value if value != null },
      {
        is_public = entry.invoker == "public"
        paths = flatten([
          for route in flatten([entry.route]) : [for path in [replace(route, "{id}", "*")] : [path, "/v1${path}"]]
        ])
        probe = try({
          path     = "${replace(flatten([entry.route])[0], "{id}", try(entry.probe.id, ""))}${try("?${entry.probe.query}", "")}"
          statuses = entry.probe.statuses
        }, null)
        rights   = try(entry.database, null)
        settings = concat(can(entry.database) ? ["database"] : [], try(entry.settings, []))
      },
    )
  }

  public_functions   = { for name, function in local.functions : name => function if function.is_public }
  database_functions = { for name, function in local.functions : name => function if function.rights != null }

  # The variables whose values are secrets, by group of settings; secrets.tf has what is in them.
  secret_settings = {
    admin   = ["ADMIN_PASSWORD"]
    omdb    = ["OMDB_API_KEY"]
    refresh = ["REFRESH_KEY"]
    signing = ["TOKEN_PRIVATE_KEY"]
  }

  function_secrets = {
    for name, function in local.functions :
    name => flatten([for group in function.settings : lookup(local.secret_settings, group, [])])
  }

  # The plain variables of each group.
  settings = {
    addresses = {
      # Without a domain, each public function's own, which can be told before it is there:
      # https://cloud.google.com/run/docs/triggering/https-request#deterministic
      FUNCTION_URLS = jsonencode(var.domain != null ? {} : {
        for name in keys(local.public_functions) :
        name => "https://${local._services[name]}-${data.google_project.main.number}.${var.region}.run.app"
      })
    }
    admin = {
      ADMIN_USERNAME = var.admin_username
    }
    database = {
      CLOUD_SQL_INSTANCE = local.database_connection_name
      # An instance's way into the network may take a minute or more, and here no start-up probe can be
      # had that asks for it: https://cloud.google.com/run/docs/configuring/vpc-direct-vpc#limitations
      # Twice that, and half of the 240 seconds after which Cloud Run ends an instance without a port:
      # https://cloud.google.com/run/docs/configuring/healthchecks#tcp-startup-probe
      DATABASE_WAIT_SECONDS = var.private_network ? "120" : "0"
      DB_IP_TYPE            = var.private_network ? "PRIVATE" : "PUBLIC"
      DB_NAME               = google_sql_database.main.name
    }
    grant = {
      DATABASE_GRANTS    = jsonencode(local.database_grants)
      DATABASE_OPERATORS = jsonencode(sort(keys(local.operators)))
    }
    import = {
      IMPORT_SECONDS = "480" # ends well before the function's time-out
    }
    omdb = {
      OMDB_CALLS_PER_CALLER = tostring(var.omdb_calls_per_caller)
      OMDB_DAILY_BUDGET     = tostring(var.omdb_daily_budget)
      OMDB_IMPORT_SHARE     = tostring(var.omdb_import_share)
    }
    refresh = {}
    signing = {}
    verifying = {
      TOKEN_PUBLIC_KEYS = local.token_public_keys
    }
  }

  invokers = {
    deployer  = "serviceAccount:${local.deployer}"
    public    = "allUsers"
    scheduler = "serviceAccount:${local.scheduler}"
  }
}

module "function" {
  source   = "./modules/function"
  for_each = local.functions

  account = local.accounts[each.key]
  build = {
    account    = google_service_account.build.id
    bucket     = google_storage_bucket.source.name
    repository = google_artifact_registry_repository.functions.id
  }
  environment_variables = merge(
    {
      GOOGLE_CLOUD_PROJECT = var.project_id
      LOG_EXECUTION_ID     = "true" # Google sets it in any case; what is tested is what runs
      LOG_LEVEL            = var.log_level
      TRUSTED_PROXIES      = "1" # Cloud Run's front end
    },
    contains(keys(local.routed), each.key) ? { LOAD_BALANCER_ADDRESSES = local.load_balancer_addresses } : {},
    each.value.rights == null ? {} : {
      DATABASE_CONNECTIONS = tostring(each.value.connections)
      # By the user itself, which has to be there as the function starts. The module as a whole must not
      # wait for it: the zip would let the database inherit create_before_destroy, and its name is taken.
      DB_USER = google_sql_user.function[each.key].name
    },
    [for group in each.value.settings : local.settings[group]]...
  )
  # Who comes past the load balancer meets none of its rate limits, so that way is closed in the end.
  ingress = var.domain_only && each.value.is_public ? "ALLOW_INTERNAL_AND_GCLB" : "ALLOW_ALL"
  invoker = local.invokers[each.value.invoker]
  # The registry's, which a function's key has to be: https://cloud.google.com/functions/docs/securing/cmek
  kms_key      = google_artifact_registry_repository.functions.kms_key_name
  name         = each.key
  network      = each.value.rights == null ? null : one(google_compute_subnetwork.functions[*].name)
  project_id   = var.project_id
  region       = var.region
  service      = local._services[each.key]
  secrets      = { for variable in local.function_secrets[each.key] : variable => local.secrets[variable] }
  size         = each.value
  source_root  = "${path.root}/.."
  ships_schema = contains(each.value.settings, "admin")

  depends_on = [
    time_sleep.build_permissions,
    time_sleep.grants,
  ]
}
