locals {
  # The function table: one entry a folder in ../functions. Zips, accounts, permissions, routes,
  # uptime checks, the dashboard and the connection budget all derive from it.
  #
  #   route          path behind the load balancer, with and without /v1 before it
  #   invoker        "public", or the account of ours that alone may invoke it
  #   settings       the groups of lib/settings.py that its main.py requires
  #   secrets        the variables among them whose values are secrets
  #   database_role  what it is in the database; null where it never connects
  #   probe          what the uptime check asks for and may be answered; a GET that a POST endpoint
  #                  refuses shows that it has started, at no cost
  function_table = {
    brew_coffee = {
      concurrency   = 80
      database_role = null
      invoker       = "public"
      probe         = { path = "/brew-coffee", statuses = [405] }
      route         = "/brew-coffee"
      secrets       = []
      settings      = []
    }
    imports_get = {
      database_role = "imports_get"
      invoker       = "public" # and for editors only, as their token shows
      probe         = { path = "/imports.get", statuses = [401] }
      route         = "/imports.get"
      secrets       = []
      settings      = ["database", "verifying"]
    }
    imports_list = {
      database_role = "imports_list"
      invoker       = "public"
      probe         = { path = "/imports.list", statuses = [401] }
      route         = "/imports.list"
      secrets       = []
      settings      = ["database", "verifying"]
    }
    login = {
      database_role = "login"
      invoker       = "public"
      probe         = { path = "/login", statuses = [405] }
      route         = "/login"
      secrets       = ["TOKEN_PRIVATE_KEY"]
      settings      = ["database", "signing"]
    }
    migrate = {
      concurrency     = 1
      database_role   = "cloudsqlsuperuser"
      invoker         = "deployer"
      route           = "/migrate"
      secrets         = ["ADMIN_PASSWORD"]
      settings        = ["admin", "database", "grant"]
      timeout_seconds = 900
    }
    movies_create = {
      database_role   = "movies_create"
      invoker         = "public"
      probe           = { path = "/movies.create", statuses = [405] }
      route           = "/movies.create"
      secrets         = ["OMDB_API_KEY"]
      settings        = ["database", "omdb", "verifying"]
      timeout_seconds = 60 # it waits for the database, for OMDb, and for the database again
    }
    movies_delete = {
      database_role = "movies_delete"
      invoker       = "public"
      probe         = { path = "/movies.delete/tt0000000", statuses = [405] }
      route         = "/movies.delete/*"
      secrets       = []
      settings      = ["database", "verifying"]
    }
    movies_get = {
      cdn           = true
      database_role = "movies_get"
      invoker       = "public"
      max_instances = 2
      probe         = { path = "/movies.get?imdb_id=tt0111161", statuses = [200, 404] }
      route         = "/movies.get"
      secrets       = []
      settings      = ["database"]
    }
    movies_import = {
      concurrency     = 1
      database_role   = "movies_import"
      invoker         = "scheduler"
      route           = "/movies.import"
      secrets         = ["OMDB_API_KEY"]
      settings        = ["database", "import", "omdb"]
      timeout_seconds = 600
    }
    movies_list = {
      cdn           = true
      database_role = "movies_list"
      invoker       = "public"
      max_instances = 2
      probe         = { path = "/movies.list?number_of_records=1", statuses = [200] }
      route         = "/movies.list"
      secrets       = []
      settings      = ["database"]
    }
  }

  # Threads of an instance, and so requests at once and connections (HANDLER_THREADS in
  # lib/settings.py): a request never waits for another's connection.
  pool_size = 8

  _function_defaults = {
    cdn             = false
    concurrency     = local.pool_size
    cpu             = "1" # of less, Cloud Run gives an instance one request at a time
    max_instances   = 1
    memory          = "512Mi"
    min_instances   = 0
    probe           = null
    timeout_seconds = 30
  }

  functions = {
    for name, entry in local.function_table : name => merge(
      local._function_defaults,
      entry,
      { for key, value in try(var.function_sizes[name], {}) : key => value if value != null },
      {
        is_public = entry.invoker == "public"
        paths     = [entry.route, "/v1${entry.route}"]
      },
    )
  }

  public_functions   = { for name, function in local.functions : name => function if function.is_public }
  database_functions = { for name, function in local.functions : name => function if function.database_role != null }

  # The plain variables of each group of settings; the secret ones are in secrets.tf.
  settings = {
    admin = {
      ADMIN_USERNAME = var.admin_username
    }
    database = {
      CLOUD_SQL_INSTANCE = local.database_connection_name
      DB_IP_TYPE         = var.private_network ? "PRIVATE" : "PUBLIC"
      DB_NAME            = google_sql_database.main.name
    }
    grant = {
      DATABASE_GRANTS = jsonencode(local.database_grants)
    }
    import = {
      IMPORT_SECONDS = "480" # ends well before the function's time-out
    }
    omdb = {
      OMDB_CALLS_PER_CALLER = tostring(var.omdb_calls_per_caller)
      OMDB_DAILY_BUDGET     = tostring(var.omdb_daily_budget)
      OMDB_IMPORT_SHARE     = tostring(var.omdb_import_share)
    }
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
      TRUSTED_PROXIES      = tostring(local.trusted_proxies)
    },
    each.value.database_role == null ? {} : { DB_USER = local.database_users[each.key] },
    [for group in each.value.settings : local.settings[group]]...
  )
  # Behind the load balancer two proxies are trusted; who came past it could make up an address.
  ingress          = var.domain != null && each.value.is_public ? "ALLOW_INTERNAL_AND_GCLB" : "ALLOW_ALL"
  invoker          = local.invokers[each.value.invoker]
  name             = each.key
  network          = one(google_compute_subnetwork.functions[*].name)
  project_id       = var.project_id
  region           = var.region
  secrets          = { for variable in each.value.secrets : variable => local.secrets[variable] }
  size             = each.value
  source_root      = "${path.root}/.."
  ships_migrations = contains(each.value.settings, "admin")

  depends_on = [
    google_secret_manager_secret_iam_member.function,
    time_sleep.build_permissions,
  ]
}
