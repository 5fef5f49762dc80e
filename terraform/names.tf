# What is called what: each name that is unique in a project, or at Google, begins with var.prefix, so
# that two of these can live in one (docs/deployment.md#two-in-one-project).

locals {
  _hyphenated = { for name in keys(local.functions) : name => replace(name, "_", "-") }

  # Of a function by its name: its account, and the Cloud Run service underneath, which takes no
  # underscore. These are older than the prefix: with the default they are called as before, as another
  # name would be another function.
  _has_default_prefix = var.prefix == "movies"
  _long_account_ids   = { for name, hyphenated in local._hyphenated : name => "${local._has_default_prefix ? "fn" : var.prefix}-${hyphenated}" }
  # It has 30 characters at most: https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/create
  # Of a longer one the beginning stays, and a hash tells it from others that begin so.
  _account_ids = { for name, id in local._long_account_ids : name => length(id) <= 30 ? id : "${substr(id, 0, 23)}-${substr(sha256(id), 0, 6)}" }
  _services    = { for name, hyphenated in local._hyphenated : name => local._has_default_prefix ? hyphenated : "${var.prefix}-${hyphenated}" }

  # Log metrics and PromQL name one thing in two ways, and PromQL knows no hyphen:
  # https://cloud.google.com/monitoring/promql/promql-mapping
  _metrics = replace(var.prefix, "-", "_")
}
